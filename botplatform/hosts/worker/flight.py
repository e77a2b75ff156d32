"""A received message on its way: read, handled, and in the end deleted or given back."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

from botplatform.errors import Rejected, Retry
from botplatform.event import Event
from botplatform.hosts.runner import Handled, Runner
from botplatform.hosts.worker.errand import Crew, Errand
from botplatform.hosts.worker.queue import Message, Queue
from botplatform.hosts.worker.visibility import Visibility

logger = logging.getLogger(__name__)

LONGEST_WAIT = 900.0


def backoff(attempts: int) -> float:
    """Seconds until a message is tried again: doubling from 2 s to 15 min, with full jitter."""
    return random.uniform(0, min(LONGEST_WAIT, 2.0 ** min(attempts, 20)))


class Line(NamedTuple):
    """What becomes of the messages of one queue.

    `read(message)` gives the events in a message, and a Rejected for each record that is none; it may raise Retry.
    `bury(message, reason)` keeps a message that is no event; it raises Retry where that cannot be.
    """

    queue: Queue
    visibility: Visibility
    runner: Runner
    crew: Crew
    read: Callable[[Message], Iterator[Event | Rejected]]
    bury: Callable[[Message, str], None]


class Flight:
    """One message, from being received to being deleted or given back; its reading is a job of the lanes."""

    kind: Hashable = "reading"

    def __init__(self, message: Message, line: Line, on_settled: Callable[[], None]) -> None:
        self.message = message
        self.lane: Hashable = ("message", message.receipt)
        self.deadline = line.crew.deadline
        self.concurrency = line.crew.threads
        self._line = line
        self._on_settled = on_settled
        self._lock = threading.Lock()
        self._errands: list[Errand] = []
        self._open = 0
        self._waits: list[float] = []
        self._rejected: list[Rejected] = []
        self._tried = False
        self._lost = False
        self._settled = False

    def begin(self) -> None:
        """Have it read and handled, and return at once."""
        self._line.visibility.hold(self)
        self._line.crew.enqueue(self)

    def run(self) -> float | None:
        """Read the message and start what is in it."""
        if self._tried:
            return self.abandon()  # a bug ended the first try: by and by, the queue takes it for a dead letter
        self._tried = True
        events: list[Event] = []
        try:
            for found in self._line.read(self.message):
                if isinstance(found, Rejected):
                    self._rejected.append(found)
                else:
                    events.append(found)
        except Retry as retry:
            logger.warning("%s: a message is tried again: %s", self._line.queue.name, retry)
            self._wait(retry.after)
        if not self._settled:
            self._start(events)
        return None

    def abandon(self) -> float | None:
        """Its reading hangs, or ended with a bug."""
        self._wait(None)
        self._settle()
        return None

    def returned(self) -> None:
        """Its reading hung and is over: it is settled already."""

    def park(self) -> None:
        """Nothing waits behind it."""

    def lose(self) -> None:
        """Let nothing of it begin to commit any more."""
        with self._lock:
            self._lost = True
            for errand in self._errands:
                errand.abandon()

    def _start(self, events: Sequence[Event]) -> None:
        held: set[Hashable] = set()
        attempts, most = self.message.attempts, self._line.queue.attempts
        last = most is not None and attempts >= most
        with self._lock:
            self._errands = [
                Errand(
                    event,
                    self._line.runner,
                    self._handled,
                    attempt=attempts,
                    last=last,
                    held=held,
                    order=self.message.group,
                )
                for event in events
            ]
            self._open = len(events)
        if self._lost:
            self.lose()
        for errand in self._errands:
            errand.begin(self._line.crew)
        if not events:
            self._settle()

    def _handled(self, handled: Handled) -> None:
        for result in handled.waiting:
            self._wait(result.after)
        with self._lock:
            self._open -= 1
            over = not self._open
        if over:
            self._settle()

    def _wait(self, after: float | None) -> None:
        self._waits.append(backoff(self.message.attempts) if after is None else after)

    def _settle(self) -> None:
        """Delete what is done; the rest is given back, to come again when all of it may be tried."""
        with self._lock:
            if self._settled:
                return
            self._settled = True
        if self._rejected and not self._waits:
            self._bury()
        if self._waits:
            self._line.visibility.give_back(self.message, max(self._waits))
        else:
            self._line.visibility.delete(self.message)
        self._on_settled()

    def _bury(self) -> None:
        """Keep a message with what is no event as a dead letter, whole, and say why; this is the last that is done."""
        try:
            self._line.bury(self.message, "; ".join(map(str, self._rejected)))
        except Retry as retry:
            logger.warning("%s: a message is tried again: %s", self._line.queue.name, retry)
            self._wait(retry.after)
            return
        for rejected in self._rejected:
            self._line.runner.reject(self._line.queue.name, rejected)
