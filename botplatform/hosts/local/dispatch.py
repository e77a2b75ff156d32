"""Events to handlers: each handler's share of an event is a task that is run, retried, and in the end done or dead.

An event is acknowledged to its sender once it is durable: when all its tasks are committed, or, where that fails or
takes longer than the sender waits, when they are in the inbox. What waits there is not in memory.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from botplatform.engine import Engine
from botplatform.errors import Overloaded, StateUnavailable
from botplatform.event import Event
from botplatform.hosts.allowance import Allowance
from botplatform.hosts.intake import NOTHING
from botplatform.hosts.lanes import Lanes, backoff
from botplatform.hosts.local.levels import Tally, levels
from botplatform.hosts.local.performer import Performer
from botplatform.hosts.local.recorder import Recorder
from botplatform.hosts.local.task import Delivery, Result, Task, reply_of
from botplatform.router import Router
from botplatform.settings import Settings
from botplatform.source import Source
from botplatform.store import Run, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.inbox import Waiting

logger = logging.getLogger(__name__)

THREADS = 16
RETRIES = 4
DEADLINE = 30.0
# Not all threads are for one handler, unless it says so: one that is slow leaves the rest to the others.
CONCURRENCY = THREADS // 2
# What it takes to explain an unmatched event is spent on so many kinds of them.
EXPLAINED_LIMIT = 1000


class Dispatcher:
    """Takes events in, from any thread, as long as there is room for them by the `settings`.

    A handler that does not say otherwise may run for `deadline` seconds. `backoff(attempts)` gives the seconds until
    the next attempt, `pause` is how many pass while nothing can be stored. What is not done after `patience` seconds is
    kept in the inbox, so that its sender, if it waits for no reply, goes on to what comes after it.
    """

    def __init__(
        self,
        engine: Engine,
        store: SqliteStore,
        performer: Performer,
        recorder: Recorder,
        settings: Settings,
        deadline: float = DEADLINE,
    ) -> None:
        self.router = Router()
        self.counts: Counter[str] = Counter()
        self.engine = engine
        self.store = store
        self.performer = performer
        self.recorder = recorder
        self.backoff: Callable[[int], float] = backoff
        self.pause = 5.0
        self.patience = 2.5
        self.stuck: Counter[str] = Counter()
        self._allowance = Allowance(RETRIES, deadline, CONCURRENCY)
        self._lock = threading.Lock()
        self._active: dict[Work, Task] = {}
        self._put_off = 0  # those of them that are not in memory
        self._unlogged = 0
        self._inbox = Tally(lambda: sum(store.inbox.size()))
        counted = {"inbox": self._inbox.now, "outbox": performer.pending, "log": store.log.count}
        self._levels = levels(settings, in_flight=self._in_flight, **counted)
        self._explained: dict[tuple[str, str, str | None], str] = {}
        self._lanes = Lanes(THREADS, "handlers")
        self._stopping = threading.Event()
        threading.Thread(target=self._keep_late, name="late-events", daemon=True).start()

    def submit(
        self,
        event: Event,
        on_settled: Callable[[], None] | None = None,
        also: Mapping[StateKey, Write] = NOTHING,
        durable: bool = False,
    ) -> Delivery:
        """Hand an event to its handlers and return at once.

        `on_settled` is called, from any thread, when the event is durable; `also` are writes for the same commit.
        With `durable`, it is in the inbox by the time this returns. Raises Overloaded when there is no room for it.
        """
        self._check("in_flight", "inbox", "outbox")
        return self._take(event, on_settled, also, durable)

    def accept(self, event: Event) -> None:
        """Take in an event that a handler emitted; it is in the inbox when this returns.

        A full outbox does not keep it out, where it leaves a place. Raises Overloaded while it cannot be taken in.
        """
        self._check("in_flight", "inbox")
        try:
            self._take(event, None, NOTHING, durable=True)
        except StateUnavailable as error:
            raise Overloaded(str(error)) from error

    def levels(self) -> dict[str, dict[str, int | str]]:
        """How full everything is that has a limit: by name, how much there is `now`, the `limit`, and its `setting`.

        Raises StateUnavailable.
        """
        return {
            name: {"now": level.now(), "limit": level.limit, "setting": level.setting}
            for name, level in self._levels.items()
        }

    def allowance(self, handler: str) -> Allowance:
        """How far a handler may go now."""
        return self._allowance.of(handler, self.router)

    def answer_now(self, *deliveries: Delivery) -> None:
        """The senders will not wait any longer: make what is unfinished durable; replies follow when they come."""
        with self._lock:
            open_ = {
                task.work: (task, delivery)
                for delivery in deliveries
                for task in delivery.tasks
                if delivery in task.deliveries
            }
        kept = self.keep([task.waiting(delivery.event) for task, delivery in open_.values()], answered=True)
        for work, (task, delivery) in open_.items():
            if work in kept:
                self.put_off(task)
            else:  # committed this moment, and about to say so
                delivery.results.append(Result(work.handler, "done", reply_of(self.store.outcome(work))))
        self.count("answered before they were handled", len(kept))

    def resume(self, kept: Iterable[Waiting]) -> None:
        """Go on with what the inbox keeps; of each, only what it takes to find it there is held in memory."""
        for waiting in kept:
            run = Run(answered=True, inboxed=True)
            task = Task(self, waiting.event, waiting.handler, run, attempts=waiting.attempts)
            task.leave_to_inbox()
            # A clock that was set back meanwhile makes nobody wait longer than was meant.
            pause = waiting.due - max(self.engine.clock(), waiting.changed)
            self._start(task, None, max(0.0, pause))

    def keep(self, waiting: Sequence[Waiting], answered: bool = False, abandoned: bool = False) -> set[Work]:
        """Keep work in the inbox; see `Inbox.keep`."""
        kept = self.store.inbox.keep(waiting, answered, abandoned) if waiting else []
        self._inbox.add(len(kept))
        return {*kept}

    def give_up(self, waiting: Waiting) -> bool:
        """Make work a dead letter; see `Inbox.give_up`."""
        given_up = self.store.inbox.give_up(waiting)
        self._inbox.add(given_up)
        return given_up

    def put_off(self, task: Task, reason: str = "") -> None:
        """Tell a task's deliveries that it waits in the inbox, where it is, and take its event out of memory."""
        self.tell(task, Result(task.handler, "waiting", reason=reason), over=False)
        with self._lock:
            if self._active.get(task.work) is task:
                self._put_off += task.leave_to_inbox()

    def count(self, what: str, times: int = 1) -> None:
        """Count something for the console; everything dropped, rejected or suppressed passes here."""
        with self._lock:
            self.counts[what] += times

    def busy(self) -> bool:
        """Whether any handler runs or is about to."""
        return self._lanes.busy()

    def stop(self, timeout: float) -> bool:
        """Let running handlers finish; False when some did not in `timeout` seconds."""
        self._stopping.set()
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
                self._put_off -= task.event is None
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

    def _take(
        self,
        event: Event,
        on_settled: Callable[[], None] | None,
        also: Mapping[StateKey, Write],
        durable: bool,
    ) -> Delivery:
        source = self.engine.source_of(event)
        delivery = Delivery(event, source, on_settled=on_settled)
        matches = self.router.route(event)
        self.count("events")
        if not matches:
            self._unmatched(delivery)
            return delivery
        answered = source.reply_within(event) is None
        tasks = [
            Task(self, event, match.handler.name, Run(answered=answered), match=match, also=also) for match in matches
        ]
        delivery.open = len(tasks)
        if durable:
            self.keep([task.waiting(event) for task in tasks])
        for task in tasks:
            self._start(task, delivery)
        return delivery

    def _start(self, task: Task, delivery: Delivery | None, delay: float = 0) -> None:
        """Queue a task, unless the same work is under way: then the delivery shares its outcome."""
        with self._lock:
            running = self._active.setdefault(task.work, task)
            waits = running.event is None
            self._put_off += running is task and waits
            if delivery:
                running.deliveries.append(delivery)
                delivery.tasks.append(running)
        if running is task:
            self._lanes.submit(task, delay)
        elif waits:  # which may take long, and it is durable: nobody has to wait for it
            self.tell(running, Result(task.handler, "waiting"), over=False)

    def _keep_late(self) -> None:
        """Make durable what takes long, where its sender waits for nothing else before it goes on."""
        while not self._stopping.wait(min(0.5, self.patience)):
            before = time.monotonic() - self.patience
            with self._lock:
                late = [task for task in self._active.values() if task.began < before]
                deliveries = [delivery for task in late for delivery in task.deliveries if delivery.on_settled]
            try:
                if deliveries:
                    self.answer_now(*deliveries)
            except StateUnavailable as error:
                logger.error("%d events wait to be stored: %s", len(deliveries), error)

    def _in_flight(self) -> int:
        return len(self._active) - self._put_off + self._unlogged

    def _check(self, *names: str) -> None:
        for name in names:
            try:
                self._levels[name].check()
            except Overloaded:
                self.count(f"refused: the limit of {name} is reached")
                raise

    def _unmatched(self, delivery: Delivery) -> None:
        event, source = delivery.event, delivery.source
        reply = source.unmatched(event, self.router.known(source.name))
        if reply:
            delivery.results.append(Result("", "unmatched", reply))
        with self._lock:
            self.counts["unmatched"] += 1
            self._unlogged += 1
        recorded = self.store.log.record(event, "unmatched", self._why_unmatched(event, source))
        recorded.add_done_callback(lambda _: self._logged(delivery))

    def _logged(self, delivery: Delivery) -> None:
        with self._lock:
            self._unlogged -= 1
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
