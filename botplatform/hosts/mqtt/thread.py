"""The network thread of a connection: one at a time, and another one when it is needed for something else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import inf
from typing import Final

Help = Callable[[Callable[[], None]], bool]
"""Does something on the network thread; if it takes long, it has called what it is given, and returns False at last."""

# Seconds between two looks at which thread is to be waited for.
_LOOK_EVERY: Final = 0.05


class NetworkThread:
    """Runs `serve(False)`, and `serve(True)` on each thread that takes over from the one before."""

    def __init__(self, serve: Callable[[bool], None]) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, takes_over: bool = False) -> None:
        """Begin, or take over from the thread before, which goes on with what keeps it."""
        thread = threading.Thread(target=self._serve, args=(takes_over,), name="mqtt", daemon=True)
        with self._lock:
            thread.start()
            self._thread = thread  # not before: until it runs, it would be taken for one that has ended

    def join(self, timeout: float = inf) -> None:
        """Wait until the connection is served no more, at most for so many seconds."""
        end = time.monotonic() + timeout
        while self._thread and self._thread.is_alive() and time.monotonic() < end:
            self._thread.join(_LOOK_EVERY)
