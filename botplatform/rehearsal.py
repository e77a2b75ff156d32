"""What handlers would make of an event now: run for real, committed to memory only, with no effect performed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botplatform.engine import Engine, Failed
from botplatform.event import Event
from botplatform.router import REPLAY_TO, Match, Router
from botplatform.source import EffectRequest, Source
from botplatform.state import told
from botplatform.store import Change, Committed, Readable, Run
from botplatform.stores.memory import MemoryStore
from botplatform.values import NamedTuple
from botplatform.work import WITHHOLD, PluginInfo


class Rehearsed(NamedTuple):
    """What one handler would make of one event: `status` is "done" or "failed", and then there is a `reason`.

    `reply` is what `Reply.to_dict` gave, `effects` are those it asked for, `suppressed` what was not to happen,
    `changes` what it made of the state, `took` the seconds it ran (0 where it failed).
    """

    handler: str
    status: str
    reply: Mapping[str, Any] | None = None
    changes: Sequence[Change] = ()
    effects: Sequence[EffectRequest] = ()
    suppressed: Sequence[str] = ()
    reason: str = ""
    took: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values, as a log entry has them for a handler that ran."""
        return {
            "handler": self.handler,
            "status": self.status,
            "took": self.took,
            "reply": self.reply,
            "reason": self.reason,
            "suppressed": list(self.suppressed),
            "effects": [{"name": e.name, "arguments": e.shown(), "status": "not performed"} for e in self.effects],
            "changes": [told(change) for change in self.changes],
        }


class Rehearsal:
    """Runs events on what `beneath` has and leaves that as it is; each sees what those before it changed.

    `router`, `sources` and `plugins` are a host's; `now` is the Unix time in seconds that handlers are told, and may be
    set between two events. What a handler does to the outside world by itself is not held back.
    """

    def __init__(
        self,
        router: Router,
        sources: Mapping[str, Source],
        beneath: Readable,
        now: float,
        plugins: Callable[[], Sequence[PluginInfo]] = tuple,
    ) -> None:
        self.now = now
        self._router = router
        self._engine = _Quiet(MemoryStore(self._clock, beneath), sources, self._clock, plugins)

    def run(self, event: Event, handler: str = "", wrap: Callable[[Match], Match] | None = None) -> list[Rehearsed]:
        """What each handler that the event concerns makes of it, or only the one named; none where nobody listens.

        `wrap` may put something around a handler: a debugger.
        """
        matches = self._router.route(_as_new(event))
        wanted = [match for match in matches if handler in ("", match.handler.name)]
        return [self._run(_as_new(event), wrap(match) if wrap else match) for match in wanted]

    def _run(self, event: Event, match: Match) -> Rehearsed:
        name = match.handler.name
        nobody_waits = self._engine.source_of(event).reply_within(event) is None
        try:
            committed = self._engine.run(event, match, Run(answered=nobody_waits))
        except Failed as failed:
            return Rehearsed(name, "failed", reason=failed.reason)
        return _done(name, committed)

    def _clock(self) -> float:
        return self.now


class _Quiet(Engine):
    """An engine whose user is told of each bug as a result: there is nothing to add to a log."""

    def report_bug(self, event: Event, handler: str, bug: BaseException) -> None:
        """Say nothing."""


def _as_new(event: Event) -> Event:
    """The event without what made a replay of it special."""
    extensions = {name: value for name, value in event.extensions.items() if name not in (REPLAY_TO, WITHHOLD)}
    return event.replace(extensions=extensions)


def _done(handler: str, committed: Committed) -> Rehearsed:
    outcome = committed.outcome
    return Rehearsed(
        handler,
        "done",
        outcome.reply,
        committed.changes,
        [effect.request for effect in committed.effects],
        outcome.suppressed,
        took=outcome.took,
    )
