"""One handler's share of one event, from its first run until it is done or given up."""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from botplatform.engine import CONFLICTS, Failed, pause_after
from botplatform.errors import Conflict, StateUnavailable
from botplatform.event import Event
from botplatform.hosts.jobs import Answer, Finish, Later
from botplatform.hosts.local.delivery import Delivery, Result, done, holds_anyway, reply_of
from botplatform.hosts.local.member import commit_alone
from botplatform.hosts.local.overlay import Overlay
from botplatform.reply import APOLOGY
from botplatform.router import Match
from botplatform.store import NOTHING, Abandoned, Commit, Committed, Run, StateKey, Work, Write
from botplatform.stores.sqlite.inbox import Waiting

if TYPE_CHECKING:
    from botplatform.hosts.local.dispatch import Dispatcher

logger = logging.getLogger(__name__)

# A run that lost its commit to others so often runs by itself: the time until its commit is shorter there.
LOST_IN_GROUPS = 3


class Task:
    """A job of the lanes; `event` is None while it waits in the inbox, which has it.

    For much may wait there, and memory is for what is under way.
    """

    __slots__ = (
        "_also",
        "_dispatcher",
        "_loose",
        "_lost",
        "_match",
        "_pace",
        "_run",
        "ahead",
        "attempts",
        "began",
        "deliveries",
        "event",
        "handler",
        "kind",
        "lane",
        "work",
    )

    def __init__(
        self,
        dispatcher: Dispatcher,
        event: Event,
        handler: str,
        run: Run,
        match: Match | None = None,
        also: Mapping[StateKey, Write] = NOTHING,
        deliveries: Sequence[Delivery] = (),
        attempts: int = 0,
    ) -> None:
        self._dispatcher = dispatcher
        self._match = match
        self._run = run
        self._also = also
        self._lost = 0
        self._loose: Commit | None = None  # what was told ahead and is not on disk yet
        self._pace = dispatcher.runs.paces[handler]
        self.ahead: bool | None = None  # whether that was told ahead of the commit, once it is decided
        self.event: Event | None = event
        self.handler = self.kind = handler
        self.attempts = attempts
        self.began = time.monotonic()
        self.work = work = Work._make((event.source, event.id, handler))
        key = event.key
        self.lane: Hashable = (handler, event.source, key) if key else work
        self.deliveries = deliveries  # under the lock of all that is under way

    @property
    def concurrency(self) -> int:
        """How many events the handler is given at a time."""
        return self._dispatcher.allowance(self.handler).concurrency

    @property
    def deadline(self) -> float:
        """How many seconds the handler has for each attempt."""
        return self._dispatcher.allowance(self.handler).deadline

    @property
    def alone(self) -> bool:
        """Whether others are not to wait for it, or may be harmed by it."""
        return not self._pace.quick or self._lost >= LOST_IN_GROUPS or self._dispatcher.runs.crashes(self.work) > 0

    @property
    def expected(self) -> float:
        """How many seconds the handler will probably take."""
        return self._pace.seconds

    def waiting(self, event: Event, delay: float = 0, reason: str = "", run: Run | None = None) -> Waiting:
        """This task as the inbox keeps it."""
        due = self._dispatcher.engine.clock() + delay
        return Waiting(event, self.handler, self.attempts, due, reason, run or self._run, self._also)

    def leave_to_inbox(self) -> bool:
        """Forget all that the inbox has; False when that was done before."""
        left = self.event is not None
        self.event = self._match = None
        self._also = NOTHING  # stored with it, and by the next attempt no longer true
        return left

    def run(self) -> Answer | Later:
        """Run the handler once, by itself."""
        if self._lost:
            time.sleep(pause_after(self._lost))
        came = self.attempt()
        return partial(commit_alone, self._dispatcher.store, self, came) if isinstance(came, Commit) else came

    def attempt(self, store: Overlay | None = None) -> Commit | Answer | Later:
        """Run the handler once, on what `store` has, and commit nothing."""
        if self._loose:
            return self._loose
        try:
            event = self._whole()
        except StateUnavailable as error:
            return self._unavailable(error)
        return self._attempt(event, store) if event else self._missing()

    def tell_ahead(self, commit: Commit) -> Commit | None:
        """Tell who waits what the handler answered, where that holds whatever becomes of the commit.

        Returns what is left to be committed, None where they have to wait for that.
        """
        if self._loose:
            return self._loose
        if self._run.answered or not holds_anyway(commit):
            return None
        result = Result(self.handler, "done", reply_of(commit.outcome))
        if not self._dispatcher.underway.tell_ahead(self, result):
            return None
        self._loose, commit.reads = commit, NOTHING  # it was answered by what they were then
        return commit

    def told(self, commit: Commit, result: Committed | Exception) -> Answer | Later:
        """Say what came of it, or what is to be done about it."""
        if self._loose:
            self._stored(result)
            return None
        if isinstance(result, Committed):
            again = result.outcome.duplicate
            if again and not commit.outcome.duplicate and self._run.answered:
                return 0.0  # another run did it; the next look finds what it left to do
            self._done(result, again)
            return None
        if isinstance(result, Abandoned):
            return None
        if isinstance(result, Conflict):
            return self._conflict(commit.event, self._run)
        if isinstance(result, StateUnavailable):
            return self._unavailable(result)
        return partial(self._misfit, commit.event, result)

    def overran(self) -> None:
        """It took too long for a group."""
        self._pace.overran()

    def abandon(self) -> Answer | Later:
        """The handler hangs: whatever it may still do is refused."""
        self._dispatcher.runs.hangs(self.handler, 1)
        self._dispatcher.count("handlers that hung")
        reason, (source, id_, handler) = f"it ran for more than {self.deadline:g} s", self.work
        logger.error("%s gives up on %s from %s: %s", handler, id_, source, reason)
        hung, self._run = self._run, Run(answered=True, inboxed=True)
        try:
            event = self._whole()
        except StateUnavailable as error:
            return self._unavailable(error)
        return partial(self._fail, event, Failed(reason), hung) if event else self._missing()

    def returned(self) -> None:
        """A run that hung is over."""
        self._dispatcher.runs.hangs(self.handler, -1)

    def park(self) -> None:
        """Wait in the inbox behind an earlier event of the same key that is being tried again."""
        event = self.event
        if event is None or not self._dispatcher.underway.leave_to_commit(self):
            return  # it is there, or needs not be
        try:
            behind = self.waiting(event, reason="waits behind an earlier one of its key")
            self._dispatcher.keep([behind], answered=True)
        except StateUnavailable as error:
            self._unavailable(error)
            return
        self._dispatcher.put_off(self)

    def _attempt(self, event: Event, store: Overlay | None) -> Commit | Answer | Later:
        run = self._run
        run.attempt = self.attempts + 1
        try:
            commit = self._dispatcher.runs.attempt(self.work, event, self._match, run, store)
        except Failed as failed:
            return partial(self._fail, event, failed, run)
        except Conflict:
            return self._conflict(event, run)
        except StateUnavailable as error:
            return self._unavailable(error)
        commit.also = self._also
        return commit

    def _whole(self) -> Event | None:
        """The event, from the inbox where memory does not have it; None when it is not there either."""
        event = self.event
        if event is None:
            kept = self._dispatcher.store.inbox.find(self.work)
            return kept.event if kept else None
        return event

    def _missing(self) -> Answer:
        """Nothing is left to do."""
        gone = Result(self.handler, "dead", reason="somebody took it out of the inbox")
        self._dispatcher.underway.tell(self, gone, over=True)
        return None

    def _unavailable(self, error: StateUnavailable) -> float:
        logger.error("%s waits: %s", self.handler, error)
        return self._dispatcher.pause

    def _conflict(self, event: Event, run: Run) -> Answer | Later:
        """Run it again, unless it keeps losing to others."""
        self._lost += 1
        if self._lost < CONFLICTS:
            return 0.0
        return partial(self._fail, event, Failed(f"lost its commit to others {CONFLICTS} times"), run)

    def _misfit(self, event: Event, bug: Exception, finish: Finish) -> None:
        """Fail for what showed only at the commit."""
        try:
            failed = self._dispatcher.engine.failure(
                bug, event, self._match or self._dispatcher.runs.match(event, self.handler)
            )
        except Failed as gone:
            failed = gone
        self._fail(event, failed, self._run, finish)

    def _stored(self, result: Committed | Exception) -> None:
        """Forget what was told ahead once it is on disk; until then, try again."""
        if isinstance(result, Committed):
            self._done(result, again=True)  # whoever has come since then comes again
            return
        logger.error("%s has answered and waits to be stored: %s", self.handler, result)
        self.lane = self.work  # nobody waits behind it
        self._dispatcher.again(self)

    def _done(self, committed: Committed, again: bool) -> None:
        dispatcher, (outcome, effects, _) = self._dispatcher, committed
        if outcome.suppressed and not outcome.duplicate:
            dispatcher.count("suppressed", len(outcome.suppressed))
        if effects:
            dispatcher.performer.perform(effects)
        plain = outcome.reply is None and not again
        result = done(self.handler) if plain else Result(self.handler, "done", reply_of(outcome), again=again)
        dispatcher.underway.tell(self, result, over=True)

    def _fail(self, event: Event, failed: Failed, run: Run, finish: Finish) -> None:
        """Keep the task for another attempt, or give it up."""
        try:
            finish(self._failed(event, failed, run))
        except StateUnavailable as error:
            finish(self._unavailable(error))

    def _failed(self, event: Event, failed: Failed, run: Run) -> Answer:
        self._match, self._lost = None, 0
        self.attempts += 1
        dispatcher = self._dispatcher
        somebody_waits = not run.answered and not run.inboxed
        final = failed.final or somebody_waits or self.attempts > dispatcher.allowance(self.handler).retries
        delay = dispatcher.backoff(self.attempts) if failed.after is None else failed.after
        item = self.waiting(event, delay, failed.reason, run)
        kept = dispatcher.give_up(item) if final else dispatcher.keep([item], abandoned=run is not self._run)
        if not kept:
            return 0.0  # it was done meanwhile: the next look finds the outcome
        if not final:
            dispatcher.count("tried again")
            dispatcher.put_off(self, failed.reason)
            return max(delay, 0.001)
        self._give_up(failed.reason, somebody_waits)
        return None

    def _give_up(self, reason: str, somebody_waits: bool) -> None:
        apology = APOLOGY if somebody_waits else None
        self._dispatcher.count("dead letters")
        self._dispatcher.underway.tell(self, Result(self.handler, "dead", apology, reason), over=True)
