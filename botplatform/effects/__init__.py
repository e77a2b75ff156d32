"""The ways to change the outside world, one module each."""

from __future__ import annotations

from collections.abc import Mapping

from botplatform.effect import Effect, Host
from botplatform.hookspecs import hookimpl


@hookimpl
def effects(settings: Mapping[str, str], host: Host | None) -> list[Effect]:
    """The built-in effects."""
    from botplatform.effects import emit, publish, slack, text

    return [text.effect(settings), slack.effect(settings), publish.effect(host), emit.effect(host)]
