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
from botplatform.hosts.intake import NOTHING, Arrival
from botplatform.hosts.lanes import backoff
from botplatform.hosts.local.delivery import Delivery, Result, reply_of
from botplatform.hosts.local.groups import Groups
from botplatform.hosts.local.levels import Tally, levels
from botplatform.hosts.local.pace import Paces
from botplatform.hosts.local.performer import Performer
from botplatform.hosts.local.recorder import Recorder
from botplatform.hosts.local.task import Task
from botplatform.hosts.local.unmatched import Unmatched
from botplatform.router import Router
from botplatform.settings import Settings
from botplatform.store import Run, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.inbox import Waiting

logger = logging.getLogger(__name__)

THREADS = 16
RETRIES = 4
DEADLINE = 30.0
# Not all threads are for one handler, unless it says so: one that is slow leaves the rest to the others.
CONCURRENCY = THREADS // 2


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
        self._unmatched = Unmatched(store.log)
        self._inbox = Tally(lambda: sum(store.inbox.size()))
        counted = {"inbox": self._inbox.now, "outbox": performer.pending, "log": store.log.count}
        self._levels = levels(settings, in_flight=self._in_flight, **counted)
        self.paces = Paces()
        self._lanes = Groups(THREADS, "handlers", store)
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
        delivery, tasks = self._take(Arrival(event, on_settled, also))
        if durable and tasks:
            self.keep([task.waiting(event) for task in tasks])
        self._start(tasks)
        return delivery

    def submit_all(self, arrivals: Sequence[Arrival]) -> int:
        """Hand as many events to their handlers as there is room for, from the first on; returns how many.

        Raises Overloaded where there is room for none.
        """
        room = self._check("in_flight", "inbox", "outbox")
        taken, tasks = 0, list[Task]()
        for arrival in arrivals:
            if len(tasks) >= room:
                break
            tasks += self._take(arrival)[1]
            taken += 1
        self._start(tasks)
        return taken

    def accept(self, event: Event) -> None:
        """Take in an event that a handler emitted; it is in the inbox when this returns.

        A full outbox does not keep it out, where it leaves a place. Raises Overloaded while it cannot be taken in.
        """
        self._check("in_flight", "inbox")
        try:
            _, tasks = self._take(Arrival(event))
            self.keep([task.waiting(event) for task in tasks])
            self._start(tasks)
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
            self._start_later(task, max(0.0, pause))

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

    def _take(self, arrival: Arrival) -> tuple[Delivery, list[Task]]:
        """What is to be started for an event, its delivery being known to each."""
        event, on_settled, also = arrival
        source = self.engine.source_of(event)
        delivery = Delivery(event, source, on_settled)
        matches = self.router.route(event)
        self.count("events")
        if not matches:
            self.count("unmatched")
            self._unmatched.settle(delivery, self.router)
            return delivery, []
        answered = source.reply_within(event) is None
        delivery.open = len(matches)
        tasks = [
            Task(self, event, match.handler.name, Run(answered=answered), match=match, also=also) for match in matches
        ]
        for task in tasks:
            task.deliveries.append(delivery)
        return delivery, tasks

    def _start(self, tasks: Sequence[Task]) -> None:
        """Queue tasks, but for those whose work is under way: then their deliveries share what comes of that."""
        with self._lock:
            known = [(task, self._active.setdefault(task.work, task)) for task in tasks]
            for task, running in known:
                if running is not task:
                    running.deliveries += task.deliveries
                for delivery in task.deliveries:
                    delivery.tasks.append(running)
        self._lanes.submit_all([task for task, running in known if running is task])
        for task, running in known:
            # It may be put off for long, and is durable: nobody has to wait for it.
            if running is not task and running.event is None:
                self.tell(running, Result(task.handler, "waiting"), over=False)

    def _start_later(self, task: Task, delay: float) -> None:
        """Queue a task that is in the inbox, unless the same work is under way."""
        with self._lock:
            new = self._active.setdefault(task.work, task) is task
            self._put_off += new
        if new:
            self._lanes.submit(task, delay)

    def _keep_late(self) -> None:
        """Make durable what takes long, where its sender waits for nothing else before it goes on."""
        while not self._stopping.wait(min(0.5, self.patience)):
            before = time.monotonic() - self.patience
            with self._lock:
                late = [task for task in self._active.values() if task.began < before]
                deliveries = [delivery for task in late for delivery in task.deliveries if delivery.wants_no_reply]
            try:
                if deliveries:
                    self.answer_now(*deliveries)
            except StateUnavailable as error:
                logger.error("%d events wait to be stored: %s", len(deliveries), error)

    def _in_flight(self) -> int:
        return len(self._active) - self._put_off + self._unmatched.unlogged

    def _check(self, *names: str) -> int:
        """How many more tasks there is room for."""
        for name in names:
            try:
                self._levels[name].check()
            except Overloaded:
                self.count(f"refused: the limit of {name} is reached")
                raise
        in_flight = self._levels["in_flight"]
        return in_flight.limit - in_flight.now()
