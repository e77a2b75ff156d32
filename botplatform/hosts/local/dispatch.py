"""Events to handlers: each handler's share of an event is a task that is run, retried, and in the end done or dead.

An event is acknowledged to its sender once it is durable: when all its tasks are committed, or, where that fails or
takes longer than the sender waits, when they are in the inbox.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from botplatform.engine import Engine, Failed
from botplatform.errors import StateUnavailable
from botplatform.event import Event
from botplatform.hosts.local.lanes import Lanes
from botplatform.hosts.local.performer import Performer
from botplatform.hosts.local.recorder import Recorder
from botplatform.reply import Reply
from botplatform.router import Match, Router
from botplatform.source import Source
from botplatform.store import Abandoned, Committed, Run, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.inbox import Waiting

logger = logging.getLogger(__name__)

THREADS = 16
ATTEMPTS = 5
DEADLINE = 30.0
# A handler that hangs costs a thread each time, which nothing can take back: after so many it is not started again.
STUCK_LIMIT = 4
CRASH_LIMIT = 3


def backoff(attempts: int) -> float:
    """Seconds to wait before the next attempt: doubling from 1 s to 5 min, with full jitter above half."""
    longest = min(300.0, 2.0 ** (attempts - 1))
    return random.uniform(longest / 2, longest)


@dataclass(frozen=True)
class Result:
    """What came of an event in one handler: committed, waiting for another attempt, or given up."""

    handler: str
    status: str
    reply: Reply | None = None
    reason: str = ""


@dataclass
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


class Dispatcher:
    """Takes events in, from any thread."""

    def __init__(
        self, engine: Engine, store: SqliteStore, performer: Performer, recorder: Recorder, deadline: float = DEADLINE
    ) -> None:
        self.router = Router()
        self.counts: Counter[str] = Counter()
        self.engine = engine
        self.store = store
        self.performer = performer
        self.recorder = recorder
        self.deadline = deadline
        self.stuck: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._active: dict[Work, Task] = {}
        self._explained: set[tuple[str, str | None]] = set()
        self._lanes = Lanes(THREADS, "handlers")

    def submit(
        self,
        event: Event,
        on_settled: Callable[[], None] | None = None,
        also: Mapping[StateKey, Write] | None = None,
        durable: bool = False,
    ) -> Delivery:
        """Hand an event to its handlers and return at once.

        `on_settled` is called, from any thread, when the event is durable; `also` are writes for the same commit.
        With `durable`, it is in the inbox by the time this returns.
        """
        source = self.engine.source_of(event)
        delivery = Delivery(event, source, on_settled=on_settled)
        matches = self.router.route(event)
        self.count("events")
        if not matches:
            self._unmatched(delivery)
            return delivery
        answered = source.reply_within(event) is None
        tasks = [Task(self, event, match, Run(answered=answered), also or {}) for match in matches]
        delivery.open = len(tasks)
        if durable:
            self.store.inbox.keep([task.waiting() for task in tasks])
        for task in tasks:
            self._start(task, delivery)
        return delivery

    def answer_now(self, delivery: Delivery) -> None:
        """The sender will not wait any longer: make what is unfinished durable; replies follow when they come."""
        with self._lock:
            open_ = [task for task in self._active.values() if delivery in task.deliveries]
        self.store.inbox.keep([task.waiting() for task in open_], answered=True)
        self.count("answered before they were handled", len(open_))

    def resume(self) -> None:
        """Go on with what the inbox holds: call once, after the plugins are loaded."""
        for waiting in self.store.inbox.waiting():
            task = Task(self, waiting.event, None, Run(answered=True, inboxed=True), {}, waiting)
            self._start(task, None, max(0.0, waiting.due - self.engine.clock()))

    def count(self, what: str, times: int = 1) -> None:
        """Count something for the console; everything dropped, rejected or suppressed passes here."""
        with self._lock:
            self.counts[what] += times

    def busy(self) -> bool:
        """Whether any handler runs or is about to."""
        return self._lanes.busy()

    def stop(self, timeout: float) -> bool:
        """Let running handlers finish; False when some did not in `timeout` seconds."""
        return self._lanes.stop(timeout)

    def finished(self, task: Task) -> None:
        """Take a task that is done or given up off the list."""
        with self._lock:
            if self._active.get(task.work) is task:
                del self._active[task.work]

    def _start(self, task: Task, delivery: Delivery | None, delay: float = 0) -> None:
        """Queue a task, unless the same work is under way: then the delivery shares its outcome."""
        with self._lock:
            running = self._active.setdefault(task.work, task)
            joined = running if delivery is None else running.join(delivery)
        if joined is None:
            self._start(task, delivery, delay)
        elif running is task:
            self._lanes.submit(task, delay)

    def _unmatched(self, delivery: Delivery) -> None:
        event, source = delivery.event, delivery.source
        known = [s for h in self.router.handlers.values() for s in h.subscriptions if s.source == source.name]
        reply = source.unmatched(event, known)
        if reply:
            delivery.results.append(Result("", "unmatched", reply))
        self.count("unmatched")
        self.store.log.record(event, "unmatched", "no handler listens to it")
        kind = (event.type, event.subject)
        if len(self._explained) < 1000 and kind not in self._explained:
            self._explained.add(kind)
            logger.info("no handler for %s; one would be:\n%s", event, source.suggest(event))
        _settle(delivery)


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
        self.deliveries: list[Delivery] = []
        self._closed = False

    def join(self, delivery: Delivery) -> Task | None:
        """Let a delivery share this task's outcome, under the dispatcher's lock; None when it is over already."""
        if self._closed:
            return None
        self.deliveries.append(delivery)
        return self

    def waiting(self, delay: float = 0, reason: str = "") -> Waiting:
        """This task as the inbox keeps it."""
        due = self._dispatcher.engine.clock() + delay
        return Waiting(self.event, self.handler, self.attempts, due, reason, self._run, self._also)

    def run(self) -> float | None:
        """Run the handler once."""
        dispatcher = self._dispatcher
        try:
            match = self._match or self._rematch()
            self._match = None  # by the next attempt, a newer version of the plugin may be there
            self._refuse_hopeless(match)
            with dispatcher.recorder.running(self.work):
                committed = dispatcher.engine.run(self.event, match, self._run, self._also)
        except Failed as failed:
            return self._failed(failed)
        except Abandoned:
            dispatcher.stuck[self.handler] -= 1
            return None
        except StateUnavailable as error:
            logger.error("%s waits: %s", self.handler, error)
            return 5.0
        self._done(committed)
        return None

    def abandon(self) -> float | None:
        """The handler hangs: whatever it may still do is refused."""
        self._dispatcher.stuck[self.handler] += 1
        self._dispatcher.count("handlers that hung")
        logger.error("%s runs for more than %g s on %r: given up", self.handler, self.deadline, self.event)
        again = self._failed(Failed(f"it ran for more than {self.deadline:g} s"), abandoned=True)
        self._run = Run(answered=True, inboxed=True)
        return again

    def park(self) -> None:
        """Wait in the inbox behind an earlier event of the same key that is being tried again."""
        try:
            self._dispatcher.store.inbox.keep([self.waiting(reason="waits behind an earlier one of its key")])
        except StateUnavailable as error:
            logger.error("%s waits: %s", self.handler, error)
            return
        self._settle(Result(self.handler, "waiting"), over=False)

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
        if outcome.duplicate:
            dispatcher.count("delivered again")
            dispatcher.store.log.delivered_again(self.event)
        dispatcher.count("suppressed", len(outcome.suppressed) if not outcome.duplicate else 0)
        dispatcher.performer.perform(committed.effects)
        reply = Reply.from_dict(outcome.reply) if outcome.reply is not None else None
        self._settle(Result(self.handler, "done", reply), over=True)

    def _failed(self, failed: Failed, abandoned: bool = False) -> float | None:
        """Keep the task for another attempt, or give it up; the answer is as that of `run`."""
        self.attempts += 1
        waits = not self._run.answered and not self._run.inboxed
        final = failed.final or waits or self.attempts >= ATTEMPTS
        delay = backoff(self.attempts) if failed.after is None else failed.after
        inbox = self._dispatcher.store.inbox
        item = self.waiting(delay, failed.reason)
        try:
            if final:
                inbox.give_up(item)
            else:
                inbox.keep([item], abandoned=abandoned)
        except StateUnavailable as error:
            logger.error("%s waits: %s", self.handler, error)
            return 5.0
        self._dispatcher.count("dead letters" if final else "tried again")
        status = "dead" if final else "waiting"
        # Nobody may be told what went wrong inside; the log knows.
        apology = Reply("Sorry, that went wrong. It is in the log.") if waits else None
        self._settle(Result(self.handler, status, apology, failed.reason), over=final)
        return None if final else max(delay, 0.001)

    def _settle(self, result: Result, over: bool) -> None:
        with self._dispatcher._lock:
            deliveries, self.deliveries = self.deliveries, []
            self._closed = over
        if over:
            self._dispatcher.finished(self)
        for delivery in deliveries:
            delivery.results.append(result)
            delivery.open -= 1
            if delivery.open <= 0:
                _settle(delivery)


def _settle(delivery: Delivery) -> None:
    delivery.settled.set()
    if delivery.on_settled:
        delivery.on_settled()
