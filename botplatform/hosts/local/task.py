"""One handler's share of one event, and who waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botplatform.engine import Failed
from botplatform.errors import StateUnavailable
from botplatform.event import Event
from botplatform.reply import Reply
from botplatform.router import Match
from botplatform.source import Source
from botplatform.store import Abandoned, Committed, Outcome, Run, StateKey, Work, Write
from botplatform.stores.sqlite.inbox import Waiting

if TYPE_CHECKING:
    from botplatform.hosts.local.dispatch import Dispatcher

logger = logging.getLogger(__name__)

ATTEMPTS = 5
# A handler that hangs costs a thread each time, which nothing can take back: after so many it is not started again.
STUCK_LIMIT = 4
CRASH_LIMIT = 3


@dataclass(frozen=True)
class Result:
    """What came of an event in one handler: committed (`again`: by an earlier delivery), waiting, or given up."""

    handler: str
    status: str
    reply: Reply | None = None
    reason: str = ""
    again: bool = False


@dataclass(eq=False)
class Delivery:
    """One arrival of an event: settled once the event is durable, whatever came of it."""

    event: Event
    source: Source
    open: int = 0
    results: list[Result] = field(default_factory=list)
    settled: threading.Event = field(default_factory=threading.Event)
    on_settled: Callable[[], None] | None = None

    @property
    def reply(self) -> Reply | None:
        """The first reply any handler gave."""
        return next((result.reply for result in self.results if result.reply), None)

    @property
    def unfinished(self) -> bool:
        """Whether some handler is still to answer."""
        return not self.settled.is_set() or any(result.status == "waiting" for result in self.results)

    def settle(self) -> None:
        """Say that the event is durable."""
        self.settled.set()
        if self.on_settled:
            self.on_settled()


class Task:
    """One handler's share of one event, until it is done or given up."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        event: Event,
        match: Match | None,
        run: Run,
        also: Mapping[StateKey, Write],
        waiting: Waiting | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._match = match
        self._run = run
        self._also = also
        self.event = event
        self.handler = match.handler.name if match else (waiting.handler if waiting else "")
        self.attempts = waiting.attempts if waiting else 0
        self.work = Work(event.source, event.id, self.handler)
        self.lane: Hashable = (self.handler, event.source, event.key or event.id)
        self.deadline = dispatcher.deadline
        self.deliveries: list[Delivery] = []  # under the dispatcher's lock

    def waiting(self, delay: float = 0, reason: str = "", run: Run | None = None) -> Waiting:
        """This task as the inbox keeps it."""
        due = self._dispatcher.engine.clock() + delay
        return Waiting(self.event, self.handler, self.attempts, due, reason, run or self._run, self._also)

    def run(self) -> float | None:
        """Run the handler once."""
        run = self._run
        run.attempt = self.attempts + 1
        try:
            committed = self._handle(run)
        except Failed as failed:
            return None if run is not self._run else self._failed(failed, run)
        except Abandoned:
            return None
        except StateUnavailable as error:
            return self._unavailable(error)
        self._done(committed)
        return None

    def abandon(self) -> float | None:
        """The handler hangs: whatever it may still do is refused."""
        self._dispatcher.hangs(self.handler, 1)
        self._dispatcher.count("handlers that hung")
        logger.error("%s runs for more than %g s on %r: given up", self.handler, self.deadline, self.event)
        hung, self._run = self._run, Run(answered=True, inboxed=True)
        return self._failed(Failed(f"it ran for more than {self.deadline:g} s"), hung)

    def returned(self) -> None:
        """A run that hung is over."""
        self._dispatcher.hangs(self.handler, -1)

    def park(self) -> None:
        """Wait in the inbox behind an earlier event of the same key that is being tried again."""
        try:
            behind = self.waiting(reason="waits behind an earlier one of its key")
            self._dispatcher.store.inbox.keep([behind], answered=True)
        except StateUnavailable as error:
            self._unavailable(error)
            return
        self._also = {}
        self._dispatcher.tell(self, Result(self.handler, "waiting"), over=False)

    def _handle(self, run: Run) -> Committed:
        match = self._match or self._rematch()
        self._match = None  # by the next attempt, a newer version of the plugin may be there
        self._refuse_hopeless(match)
        with self._dispatcher.recorder.running(self.work):
            return self._dispatcher.engine.run(self.event, match, run, self._also)

    def _unavailable(self, error: StateUnavailable) -> float:
        logger.error("%s waits: %s", self.handler, error)
        return self._dispatcher.pause

    def _rematch(self) -> Match:
        matches = {match.handler.name: match for match in self._dispatcher.router.route(self.event)}
        if self.handler not in matches:
            raise Failed(f"no handler {self.handler} listens to this any more", final=True)
        return matches[self.handler]

    def _refuse_hopeless(self, match: Match) -> None:
        """Do not start what would only take the platform down again."""
        if self._dispatcher.stuck[self.handler] >= STUCK_LIMIT:
            raise Failed(f"{STUCK_LIMIT} runs of {match.handler.name} hang already")
        if self._dispatcher.recorder.crashes(self.work) >= CRASH_LIMIT:
            raise Failed(f"the process died {CRASH_LIMIT} times while {match.handler.name} handled it", final=True)

    def _done(self, committed: Committed) -> None:
        dispatcher = self._dispatcher
        outcome = committed.outcome
        dispatcher.count("suppressed", len(outcome.suppressed) if not outcome.duplicate else 0)
        dispatcher.performer.perform(committed.effects)
        result = Result(self.handler, "done", reply_of(outcome), again=outcome.duplicate)
        dispatcher.tell(self, result, over=True)

    def _failed(self, failed: Failed, run: Run) -> float | None:
        """Keep the task for another attempt, or give it up; the answer is as that of `run`."""
        self.attempts += 1
        waits = not run.answered and not run.inboxed
        final = failed.final or waits or self.attempts >= ATTEMPTS
        delay = self._dispatcher.backoff(self.attempts) if failed.after is None else failed.after
        inbox = self._dispatcher.store.inbox
        item = self.waiting(delay, failed.reason, run)
        try:
            kept = inbox.give_up(item) if final else inbox.keep([item], abandoned=run is not self._run)
        except StateUnavailable as error:
            return self._unavailable(error)
        if not kept:
            return None  # it hung, and committed after all: its own thread says so
        self._also = {}  # stored with it, and by the next attempt no longer true
        self._dispatcher.count("dead letters" if final else "tried again")
        status = "dead" if final else "waiting"
        # Nobody may be told what went wrong inside; the log knows.
        apology = Reply("Sorry, that went wrong. It is in the log.") if waits else None
        self._dispatcher.tell(self, Result(self.handler, status, apology, failed.reason), over=final)
        return None if final else max(delay, 0.001)


def reply_of(outcome: Outcome | None) -> Reply | None:
    """The reply in an outcome, if there is one."""
    return Reply.from_dict(outcome.reply) if outcome and outcome.reply is not None else None
