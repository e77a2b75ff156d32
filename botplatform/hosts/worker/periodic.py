"""Something done again and again on a thread of its own."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from botplatform.errors import Retry, StateUnavailable

logger = logging.getLogger(__name__)


class Periodic:
    """Calls `act` about every so many seconds: a fifth sooner or later, so that many machines spread themselves."""

    def __init__(self, name: str, seconds: float, act: Callable[[], object]) -> None:
        self._seconds = seconds
        self._act = act
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes after a pause."""
        self._thread.start()

    def stop(self) -> None:
        """Call it no more; does not wait for a call under way."""
        self._stopping.set()

    def _loop(self) -> None:
        while not self._stopping.wait(self._seconds * random.uniform(0.8, 1.2)):
            try:
                self._act()
            except (Retry, StateUnavailable) as error:
                logger.error("%s waits: %s", self._thread.name, error)
