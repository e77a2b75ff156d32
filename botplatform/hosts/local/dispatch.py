"""Events to handlers: each handler's share of an event is a task that is run, retried, and in the end done or dead.

An event is acknowledged to its sender once it is durable: when all its tasks are committed, or, where that fails or
takes longer than the sender waits, when they are in the inbox. What waits there is not in memory. Only a reply that
holds whatever becomes of its commit goes out before it (`delivery.holds_anyway`).
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
from botplatform.hosts.intake import Arrival
from botplatform.hosts.lanes import backoff
from botplatform.hosts.local.delivery import Delivery, Result, reply_of
from botplatform.hosts.local.groups import Groups
from botplatform.hosts.local.levels import Tally, levels
from botplatform.hosts.local.performer import Performer
from botplatform.hosts.local.recorder import Recorder
from botplatform.hosts.local.runs import Runs
from botplatform.hosts.local.task import Task
from botplatform.hosts.local.underway import Underway
from botplatform.hosts.local.unmatched import Unmatched
from botplatform.router import Router
from botplatform.settings import Settings
from botplatform.store import NOTHING, Run, StateKey, Work, Write
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
        self.backoff: Callable[[int], float] = backoff
        self.pause = 5.0
        self.patience = 2.5
        self._allowance = Allowance(RETRIES, deadline, CONCURRENCY)
        self._lock = threading.Lock()
        self.underway = Underway(self._delivered_again)
        self._unmatched = Unmatched(store.log)
        self._inbox = Tally(lambda: sum(store.inbox.size()))
        counted = {"inbox": self._inbox.now, "outbox": performer.pending, "log": store.log.count}
        self._levels = levels(settings, in_flight=self._in_flight, **counted)
        self.runs = Runs(engine, store, recorder, lambda: self.router)
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

        `on_settled` is called, from any thread, when the event is durable, or answered and nothing is lost without it;
        `also` are writes for the same commit. With `durable`, it is in the inbox by the time this returns.
        Raises Overloaded when there is no room for it.
        """
        self._check("in_flight", "inbox", "outbox")
        self.count("events")
        tasks: list[Task] = []
        delivery = self._take(tasks, Arrival(event, on_settled, also))
        if durable and tasks:
            self.keep([task.waiting(event) for task in tasks])
        self._start(tasks)
        return delivery

    def submit_all(self, arrivals: Sequence[Arrival]) -> int:
        """Hand as many events to their handlers as there is room for, from the first on; returns how many.

        The thread that calls this calls `help` as soon as it can. Raises Overloaded where there is room for none.
        """
        room = self._check("in_flight", "inbox", "outbox")
        taken = 0
        tasks: list[Task] = []
        for arrival in arrivals:
            if len(tasks) >= room:
                break
            self._take(tasks, arrival)
            taken += 1
        self.count("events", taken)
        self._lanes.submit_with_help(self.underway.begin(tasks))
        return taken

    def help(self, take_over: Callable[[], None]) -> bool:
        """Run on this thread what is quick, as long as there is any; see `Groups.help`."""
        return self._lanes.help(take_over)

    def accept(self, event: Event) -> None:
        """Take in an event that a handler emitted; it is in the inbox when this returns.

        A full outbox does not keep it out, where it leaves a place. Raises Overloaded while it cannot be taken in.
        """
        self._check("in_flight", "inbox")
        try:
            self.count("events")
            tasks: list[Task] = []
            self._take(tasks, Arrival(event))
            self.keep([task.waiting(event) for task in tasks])
            self._start(tasks)
        except StateUnavailable as error:
            raise Overloaded(str(error)) from error

    def levels(self) -> dict[str, dict[str, int | str]]:
        """How full everything is that has a limit: by name, how much there is `now`, the `limit`, and its `setting`.

        Raises StateUnavailable.
        """
        return {name: level.shown() for name, level in self._levels.items()}

    def allowance(self, handler: str) -> Allowance:
        """How far a handler may go now."""
        return self._allowance.of(handler, self.router)

    def answer_now(self, *deliveries: Delivery) -> None:
        """The senders will not wait any longer: make what is unfinished durable; replies follow when they come."""
        open_ = {task.work: (task, delivery) for task, delivery in self.underway.unanswered(deliveries)}
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
        self.underway.tell(task, Result(task.handler, "waiting", reason=reason))
        self.underway.leave_to_inbox(task)

    def count(self, what: str, times: int = 1) -> None:
        """Count something for the console; everything dropped, rejected or suppressed passes here."""
        with self._lock:
            self.counts[what] += times

    def busy(self) -> bool:
        """Whether any handler runs or is about to, or what it answered is still to be stored."""
        return self._lanes.busy() or self.underway.ahead > 0

    def stop(self, timeout: float) -> bool:
        """Let running handlers finish; False when some did not in `timeout` seconds."""
        self._stopping.set()
        return self._lanes.stop(timeout)

    def again(self, task: Task) -> None:
        """Store what a task told ahead of its commit when there is a chance to; nobody waits for it."""
        self._lanes.submit(task, self.pause)

    def _take(self, tasks: list[Task], arrival: Arrival) -> Delivery:
        """Add to `tasks` what is to be started for an event, its delivery being known to each."""
        event, on_settled, also = arrival
        source = self.engine.source_of(event)
        delivery = Delivery(event, source, on_settled)
        matches = self.router.route(event)
        if matches:
            answered = source.reply_within(event) is None
            delivery.open = len(matches)
            for match in matches:
                tasks.append(Task(self, event, match.handler.name, Run(False, answered), match, also, (delivery,)))
        else:
            self.count("unmatched")
            self._unmatched.settle(delivery, self.router)
        return delivery

    def _start(self, tasks: Sequence[Task]) -> None:
        """Queue tasks, but for those whose work is under way: then their deliveries share what comes of that."""
        self._lanes.submit_all(self.underway.begin(tasks))

    def _start_later(self, task: Task, delay: float) -> None:
        """Queue a task that is in the inbox, unless the same work is under way."""
        if self.underway.begin_put_off(task):
            self._lanes.submit(task, delay)

    def _keep_late(self) -> None:
        """Make durable what takes long, where its sender waits for nothing else before it goes on."""
        while not self._stopping.wait(min(0.5, self.patience)):
            deliveries = self.underway.late(time.monotonic() - self.patience)
            try:
                if deliveries:
                    self.answer_now(*deliveries)
            except StateUnavailable as error:
                logger.error("%d events wait to be stored: %s", len(deliveries), error)

    def _in_flight(self) -> int:
        return self.underway.in_memory() + self._unmatched.unlogged

    def _delivered_again(self, event: Event) -> None:
        self.count("delivered again")
        self.store.log.delivered_again(event)

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
