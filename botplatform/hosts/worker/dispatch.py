"""Events to handlers on the threads of this machine; what it cannot finish goes to the queue, for whoever can."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial

from botplatform.engine import Engine
from botplatform.errors import Overloaded, Rejected, Retry, StateUnavailable
from botplatform.event import Event
from botplatform.hosts.allowance import Allowance
from botplatform.hosts.intake import Arrival, Notes
from botplatform.hosts.jobs import Job
from botplatform.hosts.lanes import Lanes
from botplatform.hosts.runner import Handled, Runner
from botplatform.hosts.worker.errand import Errand
from botplatform.router import Router
from botplatform.store import NOTHING, StateKey, Write
from botplatform.subscription import RETRIES_LIMIT

logger = logging.getLogger(__name__)

PAUSE = 5.0


class Dispatcher:
    """Runs errands; safe to use from any thread.

    Devices and the clock hand their events to `submit`: `runner` handles them, and `accept` puts an event on the
    queue. `threads` is how many events of a handler are handled at a time, and `deadline` how many seconds it may run,
    where it does not say otherwise. There are twice as many threads, so that a handler that is slow leaves as many to
    the others. `in_flight` is how many events of devices may be under way.
    """

    def __init__(
        self,
        runner: Runner,
        store: Notes,
        accept: Callable[[Event], None],
        threads: int,
        deadline: float,
        in_flight: int,
    ) -> None:
        self.store = store
        self.threads = threads
        self.deadline = deadline
        self.counts: Counter[str] = Counter()
        self._runner = runner
        self._accept = accept
        self._limit = in_flight
        self._in_flight = 0
        # How often an event is tried is up to the queue, unless its handler wants less, which the runner sees to.
        self._allowance = Allowance(RETRIES_LIMIT, deadline, threads)
        self._stuck: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._lanes: Lanes[Job] = Lanes(2 * threads, "handlers")

    @property
    def engine(self) -> Engine:
        """What runs the events."""
        return self._runner.engine

    @property
    def router(self) -> Router:
        """Who listens to what."""
        return self._runner.router

    def enqueue(self, job: Job) -> None:
        """Run a job in its lane."""
        self._lanes.submit(job)

    def submit(
        self,
        event: Event,
        on_settled: Callable[[], None] | None = None,
        also: Mapping[StateKey, Write] = NOTHING,
        durable: bool = False,
    ) -> None:
        """Hand an event to its handlers and return at once; `on_settled` is called when it is committed or queued.

        With `durable`, it is only put on the queue, and is there when this returns; raises Retry when that fails.
        Raises Overloaded while too many are under way.
        """
        settled = on_settled or (lambda: None)
        if durable:
            self._accept(event)
            settled()
            return
        self._enter()
        Errand(event, self._runner, partial(self._handled, also, partial(self._leave, settled)), also=also).begin(self)

    def submit_all(self, arrivals: Sequence[Arrival]) -> int:
        """Do what `submit` does for as many events as there is room for, from the first on; returns how many.

        Raises Overloaded while there is room for none.
        """
        for taken, arrival in enumerate(arrivals):
            try:
                self.submit(*arrival)
            except Overloaded:
                if not taken:
                    raise
                return taken
        return len(arrivals)

    def help(self, take_over: Callable[[], None]) -> bool:
        """Nothing to do: each event waits for DynamoDB on a thread of its own."""
        del take_over
        return True

    def count(self, what: str, times: int = 1) -> None:
        """Count something for people to see."""
        with self._lock:
            self.counts[what] += times

    def allowance(self, handler: str) -> Allowance:
        """How far a handler may go."""
        return self._allowance.of(handler, self.router)

    def hanging(self, handler: str) -> int:
        """How many runs of a handler hang now."""
        return self._stuck[handler]

    def hangs(self, handler: str, change: int) -> None:
        """Count how many runs of a handler hang."""
        with self._lock:
            self._stuck[handler] += change

    def stop(self, timeout: float) -> bool:
        """Start nothing more and let what runs finish; False when some did not in `timeout` seconds."""
        return self._lanes.stop(timeout)

    def _enter(self) -> None:
        with self._lock:
            if self._in_flight >= self._limit:
                self.counts["refused: the limit of in_flight is reached"] += 1
                raise Overloaded(f"{self._limit} events are under way, as many as BOTPLATFORM_IN_FLIGHT allows")
            self._in_flight += 1

    def _leave(self, settled: Callable[[], None]) -> None:
        with self._lock:
            self._in_flight -= 1
        settled()

    def _handled(self, also: Mapping[StateKey, Write], settled: Callable[[], None], handled: Handled) -> None:
        if handled.waiting:
            self.enqueue(_Handover(handled.event, partial(self._hand_over, handled, also, settled)))
        else:
            settled()

    def _hand_over(self, handled: Handled, also: Mapping[StateKey, Write], settled: Callable[[], None]) -> None:
        """Put an event on the queue, for the handlers that are still to do it.

        What was to be remembered of its delivery comes first: were this the last we do, it comes again under its id.
        """
        if also:
            self.store.write(also)
        try:
            self._accept(handled.event)
        except Rejected as refused:
            self._give_up(handled, str(refused))
        settled()

    def _give_up(self, handled: Handled, reason: str) -> None:
        """Make a dead letter of what no queue takes, which would be tried for ever; raises Retry where none is kept."""
        runner, event = self._runner, handled.event
        results = [runner.give_up(event, result.handler, f"{result.reason}; {reason}") for result in handled.waiting]
        for result in results:
            if result.status == "waiting":
                raise Retry(result.reason)
        runner.finish(event, results)


class _Handover:
    """An event on its way to the queue, until it is there."""

    kind: Hashable = "to the queue"
    concurrency = 4
    deadline = 60.0

    def __init__(self, event: Event, act: Callable[[], None]) -> None:
        self.lane: Hashable = (self.kind, event.source, event.id)
        self._act = act

    def run(self) -> float | None:
        """Hand it over; the answer is when to try again."""
        try:
            self._act()
        except (Retry, StateUnavailable) as error:
            logger.error("an event waits to be put on the queue: %s", error)
            return PAUSE
        return None

    def abandon(self) -> float | None:
        """It hangs: try again."""
        return PAUSE

    def returned(self) -> None:
        """It hung and is over: the next try does no harm."""

    def park(self) -> None:
        """Nothing waits behind it."""
