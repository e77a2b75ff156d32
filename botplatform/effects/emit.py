"""Handing a new event to the platform's own handlers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botplatform.effect import Effect, Host
from botplatform.errors import Retry
from botplatform.event import Event


def effect(host: Host | None) -> Effect:
    """The effect `emit`: argument `event`, an envelope; its id makes a second try harmless."""

    def perform(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        del key
        if host is None:
            raise Retry("no host to emit through")
        event = Event.from_dict(arguments["event"])
        host.accept(event)
        return {"id": event.id}

    return Effect("emit", perform, "this platform")
