"""Every extension point: what a plugin may do, and what the platform's own parts are made with too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from botplatform.effect import Effect, Host
    from botplatform.event import Event
    from botplatform.reply import Reply
    from botplatform.source import Source
    from botplatform.store import OpenStore
    from botplatform.work import Context

hookspec = pluggy.HookspecMarker("botplatform")
hookimpl = pluggy.HookimplMarker("botplatform")


@hookspec
def handle(event: Event, ctx: Context) -> Reply | str | None:
    """Handle one event; a source's decorator (`slack.command`) makes a function an implementation of this.

    The router calls the functions an event concerns by itself, each guarded and in a transaction of its own; this hook
    is never called as a whole. A handler may leave out either argument.
    """


@hookspec
def sources() -> list[Source]:  # type: ignore[empty-body]
    """The outside systems this plugin can read, and answer."""


@hookspec
def effects(settings: Mapping[str, str], host: Host | None) -> list[Effect]:  # type: ignore[empty-body]
    """The effects this plugin can perform, made with the settings (never with the environment).

    `host` can publish and take in events; it is None where effects are only listed.
    """


@hookspec
def stores() -> dict[str, OpenStore]:  # type: ignore[empty-body]
    """Where state can live: a function that opens a store for each URL scheme (`sqlite`)."""
