"""Events to handlers: each handler's share of an event is a task that is run, retried, and in the end done or dead.

An event is acknowledged to its sender once it is durable: when all its tasks are committed, or, where that fails or
takes longer than the sender waits, when they are in the inbox.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from botplatform.engine import Engine
from botplatform.event import Event
from botplatform.hosts.lanes import Lanes, backoff
from botplatform.hosts.local.performer import Performer
from botplatform.hosts.local.recorder import Recorder
from botplatform.hosts.local.task import Delivery, Result, Task, reply_of
from botplatform.router import Router
from botplatform.source import Source
from botplatform.store import Run, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.inbox import Waiting

logger = logging.getLogger(__name__)

THREADS = 16
DEADLINE = 30.0


# What it takes to explain an unmatched event is spent on so many kinds of them.
EXPLAINED_LIMIT = 1000


class Dispatcher:
    """Takes events in, from any thread.

    `backoff(attempts)` gives the seconds until the next attempt, `pause` is how many pass while nothing can be stored.
    """

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
        self.backoff: Callable[[int], float] = backoff
        self.pause = 5.0
        self.stuck: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._active: dict[Work, Task] = {}
        self._explained: dict[tuple[str, str, str | None], str] = {}
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
        kept = self.store.inbox.keep([task.waiting() for task in open_], answered=True)
        for work in {task.work for task in open_} - {*kept}:  # committed this moment, and about to say so
            delivery.results.append(Result(work.handler, "done", reply_of(self.store.outcome(work))))
        self.count("answered before they were handled", len(kept))

    def resume(self, kept: Iterable[Waiting]) -> None:
        """Go on with what the inbox keeps."""
        for waiting in kept:
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

    def hangs(self, handler: str, change: int) -> None:
        """Count how many runs of a handler hang now."""
        with self._lock:
            self.stuck[handler] += change

    def tell(self, task: Task, result: Result, over: bool) -> None:
        """Tell a task's deliveries what came of it, and forget it if it is over."""
        with self._lock:
            if over and self._active.get(task.work) is task:
                del self._active[task.work]
            deliveries, task.deliveries = task.deliveries, []
            for delivery in deliveries:
                delivery.results.append(result)
                delivery.open -= 1
            settled = [delivery for delivery in deliveries if not delivery.open]
        for delivery in settled:
            if any(result.again for result in delivery.results):
                self.count("delivered again")
                self.store.log.delivered_again(delivery.event)
            delivery.settle()

    def _start(self, task: Task, delivery: Delivery | None, delay: float = 0) -> None:
        """Queue a task, unless the same work is under way: then the delivery shares its outcome."""
        with self._lock:
            running = self._active.setdefault(task.work, task)
            if delivery:
                running.deliveries.append(delivery)
        if running is task:
            self._lanes.submit(task, delay)

    def _unmatched(self, delivery: Delivery) -> None:
        event, source = delivery.event, delivery.source
        reply = source.unmatched(event, self.router.known(source.name))
        if reply:
            delivery.results.append(Result("", "unmatched", reply))
        self.count("unmatched")
        self.store.log.record(event, "unmatched", self._why_unmatched(event, source))
        delivery.settle()

    def _why_unmatched(self, event: Event, source: Source) -> str:
        """The reason for the log, and, the first time, the handler one would write."""
        kind = (source.name, event.type, event.subject)
        if kind in self._explained or len(self._explained) >= EXPLAINED_LIMIT:
            return self._explained.get(kind, "no handler listens to it")
        nearest = self.router.nearest(source.name, event.subject)
        reason = "no handler listens to it" + (f"; the nearest listens to {nearest}" if nearest else "")
        self._explained[kind] = reason
        logger.info("%s: %s; one would be:\n%s", event, reason, source.suggest(event))
        return reason
