"""Takes messages off a queue while there is room for more, on threads of its own."""

from __future__ import annotations

import logging
import random
import threading

from botplatform.errors import Retry
from botplatform.hosts.worker.flight import Flight, Line

logger = logging.getLogger(__name__)

# So that the next messages are asked for while the last ones are handed out.
THREADS = 2
LONGEST_PAUSE = 30.0


class Room:
    """How many messages this machine takes on at a time, from all queues together; `taken` is how many it has now."""

    def __init__(self, size: int) -> None:
        self.taken = 0
        self._size = size
        self._closed = False
        self._changed = threading.Condition()

    def wait(self) -> int:
        """Return how many there is room for, once it is one at least; 0 when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self.taken < self._size)
            return 0 if self._closed else self._size - self.taken

    def take(self, count: int) -> bool:
        """Make room for messages that came, even more than were asked for; False when it is too late for them."""
        with self._changed:
            self.taken += 0 if self._closed else count
            return not self._closed

    def free(self) -> None:
        """Say that one is gone."""
        with self._changed:
            self.taken -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing more on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Poller:
    """Receives from one queue; when that fails, it goes on trying, more and more seldom."""

    def __init__(self, line: Line, room: Room) -> None:
        self._line = line
        self._room = room
        self._stopping = threading.Event()
        name = f"{line.queue.name}-poller"
        self._threads = [threading.Thread(target=self._poll, name=name, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        """Begin to receive."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Receive no more; what the last request still brings is given back at once. The room is closed by then."""
        self._stopping.set()

    def _poll(self) -> None:
        failures = 0
        while room := self._room.wait():
            try:
                self._receive(room)
                failures = 0
            except Retry as error:
                failures += 1
                logger.error("nothing can be received: %s", error)
                self._stopping.wait(random.uniform(0.5, 1) * min(LONGEST_PAUSE, 2.0 ** min(failures, 10)))

    def _receive(self, room: int) -> None:
        messages = self._line.queue.receive(room)
        if not messages:
            return
        if not self._room.take(len(messages)):
            self._line.queue.hide([(message, 0) for message in messages])
            return
        for message in messages:
            Flight(message, self._line, self._room.free).begin()
