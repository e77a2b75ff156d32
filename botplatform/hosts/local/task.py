"""One handler's share of one event, and who waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botplatform.engine import Failed
from botplatform.errors import StateUnavailable
from botplatform.event import Event
from botplatform.hosts.intake import NOTHING
from botplatform.reply import Reply
from botplatform.router import Match
from botplatform.source import Source
from botplatform.store import Abandoned, Committed, Outcome, Run, StateKey, Work, Write
from botplatform.stores.sqlite.inbox import Waiting

if TYPE_CHECKING:
    from botplatform.hosts.local.dispatch import Dispatcher

logger = logging.getLogger(__name__)

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
    """One arrival of an event; `durable` says that it need not come again, `settled` that nobody is to wait for it."""

    event: Event
    source: Source
    open: int = 0
    results: list[Result] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    durable: bool = False
    settled: threading.Event = field(default_factory=threading.Event)
    on_settled: Callable[[], None] | None = None

    @property
    def reply(self) -> Reply | None:
        """The first reply any handler gave."""
        return next((result.reply for result in self.results if result.reply), None)

    @property
    def unfinished(self) -> bool:
        """Whether some handler is still to answer."""
        return not self.durable or any(result.status == "waiting" for result in self.results)

    def settle(self) -> None:
        """Say that the event is durable."""
        self.durable = True
        self.settled.set()
        if self.on_settled:
            self.on_settled()

    def hurry(self) -> None:
        """Have whoever waits go on at once, whether it is durable or not."""
        self.settled.set()


class Task:
    """One handler's share of one event, until it is done or given up.

    `event` is None while it waits in the inbox, which has it: much may wait, and memory is for what is under way.
    """

    __slots__ = ("_also", "_dispatcher", "_match", "_run", "attempts", "began", "deliveries", "event", "lane", "work")

    def __init__(
        self,
        dispatcher: Dispatcher,
        event: Event,
        handler: str,
        run: Run,
        *,
        match: Match | None = None,
        also: Mapping[StateKey, Write] = NOTHING,
        attempts: int = 0,
    ) -> None:
        self._dispatcher = dispatcher
        self._match = match
        self._run = run
        self._also = dict(also)
        self.event: Event | None = event
        self.attempts = attempts
        self.began = time.monotonic()
        self.work = Work(event.source, event.id, handler)
        self.lane: Hashable = (handler, event.source, event.key or event.id)
        self.deliveries: list[Delivery] = []  # under the dispatcher's lock

    @property
    def handler(self) -> str:
        """The name of the handler."""
        return self.work.handler

    @property
    def kind(self) -> Hashable:
        """The handler: so many of its runs go on at a time as it may have."""
        return self.work.handler

    @property
    def concurrency(self) -> int:
        """How many events the handler is given at a time."""
        return self._dispatcher.allowance(self.handler).concurrency

    @property
    def deadline(self) -> float:
        """How many seconds the handler has for each attempt."""
        return self._dispatcher.allowance(self.handler).deadline

    def waiting(self, event: Event, delay: float = 0, reason: str = "", run: Run | None = None) -> Waiting:
        """This task as the inbox keeps it."""
        due = self._dispatcher.engine.clock() + delay
        return Waiting(event, self.handler, self.attempts, due, reason, run or self._run, self._also)

    def leave_to_inbox(self) -> bool:
        """Forget all that the inbox has; False when that was done before."""
        left = self.event is not None
        self.event = self._match = None
        self._also.clear()  # stored with it, and by the next attempt no longer true
        return left

    def run(self) -> float | None:
        """Run the handler once."""
        try:
            event = self._whole()
            return self._attempt(event) if event else self._missing()
        except StateUnavailable as error:
            return self._unavailable(error)

    def abandon(self) -> float | None:
        """The handler hangs: whatever it may still do is refused."""
        self._dispatcher.hangs(self.handler, 1)
        self._dispatcher.count("handlers that hung")
        reason, (source, id_, handler) = f"it ran for more than {self.deadline:g} s", self.work
        logger.error("%s gives up on %s from %s: %s", handler, id_, source, reason)
        hung, self._run = self._run, Run(answered=True, inboxed=True)
        try:
            event = self._whole()
            return self._failed(event, Failed(reason), hung) if event else self._missing()
        except StateUnavailable as error:
            return self._unavailable(error)

    def returned(self) -> None:
        """A run that hung is over."""
        self._dispatcher.hangs(self.handler, -1)

    def park(self) -> None:
        """Wait in the inbox behind an earlier event of the same key that is being tried again."""
        event = self.event
        if event is None:
            return  # it is there
        try:
            behind = self.waiting(event, reason="waits behind an earlier one of its key")
            self._dispatcher.keep([behind], answered=True)
        except StateUnavailable as error:
            self._unavailable(error)
            return
        self._dispatcher.put_off(self)

    def _attempt(self, event: Event) -> float | None:
        run = self._run
        run.attempt = self.attempts + 1
        try:
            committed = self._handle(event, run)
        except Failed as failed:
            return None if run is not self._run else self._failed(event, failed, run)
        except Abandoned:
            return None
        self._done(committed)
        return None

    def _whole(self) -> Event | None:
        """The event, from the inbox where memory does not have it; None when it is not there either."""
        event = self.event
        if event is None:
            kept = self._dispatcher.store.inbox.find(self.work)
            return kept.event if kept else None
        return event

    def _missing(self) -> float | None:
        """Nothing is left to do."""
        gone = Result(self.handler, "dead", reason="somebody took it out of the inbox")
        self._dispatcher.tell(self, gone, over=True)
        return None

    def _handle(self, event: Event, run: Run) -> Committed:
        match, also = self._match or self._rematch(event), self._also
        self._match = None  # by the next attempt, a newer version of the plugin may be there
        self._refuse_hopeless(match)
        with self._dispatcher.recorder.running(self.work):
            return self._dispatcher.engine.run(event, match, run, also)

    def _unavailable(self, error: StateUnavailable) -> float:
        logger.error("%s waits: %s", self.handler, error)
        return self._dispatcher.pause

    def _rematch(self, event: Event) -> Match:
        matches = {match.handler.name: match for match in self._dispatcher.router.route(event)}
        if self.handler not in matches:
            raise Failed(f"no handler {self.handler} listens to this any more", final=True)
        return matches[self.handler]

    def _refuse_hopeless(self, match: Match) -> None:
        """Do not start what would only take the platform down again; what is done already will not be started."""
        hopeless = self._hopeless(match.handler.name)
        if hopeless and self._dispatcher.store.outcome(self.work) is None:
            raise hopeless

    def _hopeless(self, handler: str) -> Failed | None:
        if self._dispatcher.stuck[handler] >= STUCK_LIMIT:
            return Failed(f"{STUCK_LIMIT} runs of {handler} hang already")
        if self._dispatcher.recorder.crashes(self.work) >= CRASH_LIMIT:
            return Failed(f"the process died {CRASH_LIMIT} times while {handler} handled it", final=True)
        return None

    def _done(self, committed: Committed) -> None:
        dispatcher = self._dispatcher
        outcome = committed.outcome
        dispatcher.count("suppressed", len(outcome.suppressed) if not outcome.duplicate else 0)
        dispatcher.performer.perform(committed.effects)
        result = Result(self.handler, "done", reply_of(outcome), again=outcome.duplicate)
        dispatcher.tell(self, result, over=True)

    def _failed(self, event: Event, failed: Failed, run: Run) -> float | None:
        """Keep the task for another attempt, or give it up; the answer is as that of `run`."""
        self.attempts += 1
        dispatcher = self._dispatcher
        somebody_waits = not run.answered and not run.inboxed
        final = failed.final or somebody_waits or self.attempts > dispatcher.allowance(self.handler).retries
        delay = dispatcher.backoff(self.attempts) if failed.after is None else failed.after
        item = self.waiting(event, delay, failed.reason, run)
        kept = dispatcher.give_up(item) if final else dispatcher.keep([item], abandoned=run is not self._run)
        if not kept:
            return None  # it hung, and committed after all: its own thread says so
        if not final:
            dispatcher.count("tried again")
            dispatcher.put_off(self, failed.reason)
            return max(delay, 0.001)
        # Nobody may be told what went wrong inside; the log knows.
        apology = Reply("Sorry, that went wrong. It is in the log.") if somebody_waits else None
        dispatcher.count("dead letters")
        dispatcher.tell(self, Result(self.handler, "dead", apology, failed.reason), over=True)
        return None


def reply_of(outcome: Outcome | None) -> Reply | None:
    """The reply in an outcome, if there is one."""
    return Reply.from_dict(outcome.reply) if outcome and outcome.reply is not None else None
