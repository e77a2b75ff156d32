"""Replays: past events handled again on purpose, each as a copy under a new id that says what it repeats."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable

from botplatform.errors import Retry
from botplatform.event import Event
from botplatform.router import REPLAY_TO, Router
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.inbox import Waiting
from botplatform.work import REPLAY_OF, WITHHOLD

Submit = Callable[[Event], object]
# How long a replay of many events waits for room in the platform before it stops half-way.
_PATIENCE = 10.0
_PAUSE = 0.1


def replayed(event: Event, handler: str = "", effects: bool = True) -> Event:
    """A copy of an event to be handled again: by one handler alone if it is named, and with or without its effects.

    Its id is new; the extension `replayof` has the id of `event`.
    """
    kept = {name: value for name, value in event.extensions.items() if name not in (REPLAY_TO, WITHHOLD)}
    extensions: dict[str, str | int | bool] = {**kept, REPLAY_OF: event.id}
    if handler:
        extensions[REPLAY_TO] = handler
    if not effects:
        extensions[WITHHOLD] = True
    return event.replace(id=uuid.uuid4().hex, extensions=extensions)


def replay(
    submit: Submit,
    events: Iterable[Event],
    handler: str = "",
    effects: bool = True,
    pause: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Hand a copy of each event to `submit` and return the ids of the copies, in the same order.

    `submit` returns once a copy is durable. Where it raises Retry, the platform is full: it is asked again for ten
    seconds, then the copies so far are all there are, or, if there are none, Retry is raised.
    """
    ids: list[str] = []
    for event in events:
        copy = replayed(event, handler, effects)
        try:
            _submit(submit, copy, pause)
        except Retry:
            if not ids:
                raise
            break
        ids.append(copy.id)
    return ids


def into_inbox(store: SqliteStore, router: Router, now: float) -> Submit:
    """A `submit` for when no platform runs: the next one to start handles what it is given.

    `now` is a Unix time in seconds. An event that no handler listens to is only logged, as a platform would.
    """

    def submit(event: Event) -> None:
        matches = router.route(event)
        store.inbox.keep([Waiting(event, match.handler.name, 0, now) for match in matches])
        if not matches:
            store.log.record(event, "unmatched", "no handler listens to it")

    return submit


def _submit(submit: Submit, event: Event, pause: Callable[[float], None]) -> None:
    for _ in range(round(_PATIENCE / _PAUSE)):
        try:
            submit(event)
            return
        except Retry:
            pause(_PAUSE)
    submit(event)
