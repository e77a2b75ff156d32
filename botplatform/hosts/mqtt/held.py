"""Messages there is no room for: held in their order, unacknowledged, which makes the broker hold what comes after."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from botplatform.errors import Retry
from botplatform.sources.mqtt.message import Message

Receive = Callable[[Message, Callable[[], None]], None]

TRY_EVERY: Final = 0.2


class Held:
    """Hands messages to `receive` one after the other; one for which it raises Retry is held, and those behind it.

    A broker sends only so many messages of QoS 1 and 2 before the first is acknowledged. Those of QoS 0 it sends
    without end: beyond `limit` held messages they are let go, which `on_dropped` hears. Not safe for several threads.
    """

    def __init__(self, receive: Receive, limit: int, on_dropped: Callable[[], object]) -> None:
        self._receive = receive
        self._limit = limit
        self._on_dropped = on_dropped
        self._messages: deque[tuple[Message, Callable[[], None]]] = deque()
        self._next_try = 0.0

    def __len__(self) -> int:
        return len(self._messages)

    def receive(self, message: Message, acknowledge: Callable[[], None]) -> None:
        """Hand a message on, or hold it."""
        if not self._messages and self._is_taken(message, acknowledge):
            return
        if message.qos == 0 and len(self._messages) >= self._limit:
            self._on_dropped()
        else:
            self._messages.append((message, acknowledge))

    def go_on(self) -> None:
        """Hand on what there is room for by now."""
        while self._messages and time.monotonic() >= self._next_try and self._is_taken(*self._messages[0]):
            self._messages.popleft()

    def connection_broke(self) -> None:
        """Forget what the broker will deliver again."""
        self._messages = deque(held for held in self._messages if held[0].qos == 0)

    def _is_taken(self, message: Message, acknowledge: Callable[[], None]) -> bool:
        try:
            self._receive(message, acknowledge)
        except Retry:
            self._next_try = time.monotonic() + TRY_EVERY
            return False
        return True
