"""One event on its way through its handlers, each on a thread of its own and none waiting for another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Protocol

from botplatform.event import Event
from botplatform.hosts.allowance import Allowance
from botplatform.hosts.jobs import Job
from botplatform.hosts.runner import Handled, Result, Runner
from botplatform.router import Match
from botplatform.store import Run, StateKey, Write

logger = logging.getLogger(__name__)

# A handler that hangs costs a thread each time, which nothing can take back: after so many it is not started again.
STUCK_LIMIT = 4


class Crew(Protocol):
    """The threads that do it; `threads` is how many messages may be read at a time, for `deadline` seconds each."""

    threads: int
    deadline: float

    def allowance(self, handler: str) -> Allowance:
        """How far a handler may go."""

    def enqueue(self, job: Job) -> None:
        """Run a job in its lane."""

    def hanging(self, handler: str) -> int:
        """How many runs of a handler hang now."""

    def hangs(self, handler: str, change: int) -> None:
        """Count how many runs of a handler hang."""


class Errand:
    """An event and what came of it so far; `on_handled` hears of it, on any thread, when all handlers are through.

    `attempt` counts the deliveries of the event; what fails in the `last` of them becomes a dead letter. `also` are
    further writes for each commit. `held` are lanes in which an earlier event of the same message is still to be done:
    later ones wait with it. Errands of one `order` run one after the other; without it, those of one key.
    """

    def __init__(
        self,
        event: Event,
        runner: Runner,
        on_handled: Callable[[Handled], None],
        *,
        attempt: int = 1,
        last: bool = False,
        also: Mapping[StateKey, Write] = MappingProxyType({}),
        held: set[Hashable] | None = None,
        order: str = "",
    ) -> None:
        self.event = runner.identified(event)
        self.runner = runner
        self.also = also
        self.held = set() if held is None else held
        self.order: Hashable = order or (self.event.source, self.event.key or self.event.id)
        self._last = last
        self._on_handled = on_handled
        self._lock = threading.Lock()
        self._runs = {
            match.handler.name: (match, Run(answered=True, attempt=attempt))
            for match in runner.router.route(self.event)
        }
        self._results: dict[str, Result] = {}

    def begin(self, crew: Crew) -> None:
        """Have it run, and return at once."""
        for match, run in self._runs.values():
            crew.enqueue(Task(self, match, run, crew))
        if not self._runs:
            self._finish()

    def abandon(self) -> None:
        """Let nothing begin to commit, and no effect be performed, any more."""
        for _, run in self._runs.values():
            run.left = True  # whoever does it in our place also performs what is asked for
            run.abandon()

    def done(self, result: Result) -> None:
        """Note what came of it in one handler; only the first word on it counts."""
        with self._lock:
            known = result.handler in self._results
            self._results.setdefault(result.handler, result)
            open_ = len(self._runs) - len(self._results)
        if not known and not open_:
            self._finish()

    def _finish(self) -> None:
        results = [self._final(self._results[handler]) for handler in self._runs]
        self._on_handled(self.runner.finish(self.event, results))

    def _final(self, result: Result) -> Result:
        if not self._last or result.status != "waiting":
            return result
        return self.runner.give_up(self.event, result.handler, result.reason)


class Task:
    """One handler's share of an errand: a job of the lanes, which run those of one lane in order."""

    def __init__(self, errand: Errand, match: Match, run: Run, crew: Crew) -> None:
        self.handler = match.handler.name
        self.lane: Hashable = (self.handler, errand.order)
        self.kind: Hashable = self.handler
        self.deadline = crew.allowance(self.handler).deadline
        self.concurrency = crew.allowance(self.handler).concurrency
        self._errand = errand
        self._match = match
        self._run = run
        self._crew = crew

    def run(self) -> float | None:
        """Run the handler, and perform what it asked for."""
        reason, errand = self._hopeless(), self._errand
        if reason:
            self._put_off(reason)
            return None
        self._tell(errand.runner.run(errand.event, self._match, self._run, errand.also))
        return None

    def abandon(self) -> float | None:
        """The handler hangs: whatever it may still do is refused; one that is committing will say so itself."""
        self._crew.hangs(self.handler, 1)
        if self._run.abandon():
            logger.error("%s runs for more than %g s on %r: given up", self.handler, self.deadline, self._errand.event)
            self._tell(self._errand.runner.overdue(self._errand.event, self._match, self._run, self.deadline))
        return None

    def returned(self) -> None:
        """A run that hung is over."""
        self._crew.hangs(self.handler, -1)

    def park(self) -> None:
        """No job of these lanes is run again, so none waits for one."""

    def _hopeless(self) -> str:
        """Why not even to start."""
        if self._run.abandoned:
            return "its time ran out before it was started"
        if self.lane in self._errand.held:
            return "waits behind an earlier one of its key"
        stuck = self._crew.hanging(self.handler) >= STUCK_LIMIT
        return f"{STUCK_LIMIT} runs of it hang already" if stuck else ""

    def _put_off(self, reason: str) -> None:
        self._tell(Result(self.handler, "waiting", reason=reason))

    def _tell(self, result: Result) -> None:
        if result.status == "waiting":
            self._errand.held.add(self.lane)
        self._errand.done(result)
