"""Events to handlers on the threads of this machine; what it cannot finish goes to the queue, for whoever can."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from types import MappingProxyType

from botplatform.engine import Engine
from botplatform.errors import Retry, StateUnavailable
from botplatform.event import Event
from botplatform.hosts.intake import Notes
from botplatform.hosts.lanes import Job, Lanes
from botplatform.hosts.runner import Handled, Runner
from botplatform.hosts.worker.errand import Errand
from botplatform.router import Router
from botplatform.store import StateKey, Write

logger = logging.getLogger(__name__)

PAUSE = 5.0


class Dispatcher:
    """Runs errands; safe to use from any thread.

    Devices and the clock hand their events to `submit`: `runner` handles them, and `accept` puts an event on the
    queue. `deadline` is how many seconds a handler may run.
    """

    def __init__(
        self, runner: Runner, store: Notes, accept: Callable[[Event], None], threads: int, deadline: float
    ) -> None:
        self.store = store
        self.deadline = deadline
        self.counts: Counter[str] = Counter()
        self._runner = runner
        self._accept = accept
        self._stuck: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._lanes = Lanes(threads, "handlers")

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
        also: Mapping[StateKey, Write] | None = None,
        durable: bool = False,
    ) -> None:
        """Hand an event to its handlers and return at once; `on_settled` is called when it is committed or queued.

        With `durable`, it is only put on the queue, and is there when this returns; raises Retry when that fails.
        """
        settled = on_settled or (lambda: None)
        if durable:
            self._accept(event)
            settled()
            return
        writes = also or MappingProxyType({})
        Errand(event, self._runner, partial(self._handled, writes, settled), also=writes).begin(self)

    def count(self, what: str, times: int = 1) -> None:
        """Count something for people to see."""
        with self._lock:
            self.counts[what] += times

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

    def _handled(self, also: Mapping[StateKey, Write], settled: Callable[[], None], handled: Handled) -> None:
        if handled.waiting:
            self.enqueue(_Handover(handled.event, partial(self._hand_over, handled.event, also, settled)))
        else:
            settled()

    def _hand_over(self, event: Event, also: Mapping[StateKey, Write], settled: Callable[[], None]) -> None:
        """Put an event on the queue, for the handlers that are still to do it.

        What was to be remembered of its delivery comes first: were this the last we do, it comes again under its id.
        """
        if also:
            self.store.write(also)
        self._accept(event)
        settled()


class _Handover:
    """An event on its way to the queue, until it is there."""

    deadline = 60.0

    def __init__(self, event: Event, act: Callable[[], None]) -> None:
        self.lane: Hashable = ("to the queue", event.source, event.id)
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
