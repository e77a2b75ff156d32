"""Starts the embedded broker anew when nothing gets through to it: its process may go on without what did the work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from botplatform.errors import BotplatformError
from botplatform.hosts.local.broker import EmbeddedBroker

logger = logging.getLogger(__name__)

# It is on this machine: a client without a connection for so many looks in a row has nobody to connect to.
_LOOKS = 4
_STOP_WITHIN = 20.0


class BrokerWatch:
    """Looks every so many `seconds` whether our own client is `connected`, on a thread of its own."""

    def __init__(self, broker: EmbeddedBroker, connected: Callable[[], bool], seconds: float = 2.0) -> None:
        self._broker = broker
        self._connected = connected
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="broker-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns once the broker is left alone."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN)

    def _watch(self) -> None:
        missed = 0
        while not self._stopping.wait(self._seconds):
            missed = 0 if self._connected() else missed + 1
            if missed == _LOOKS:
                missed = 0
                self._start_anew()

    def _start_anew(self) -> None:
        logger.error("the embedded broker does not answer and is started anew; what it kept in memory is gone")
        self._broker.stop()
        try:
            self._broker.start()
        except BotplatformError as error:
            logger.error("%s", error)
