"""Messages there is no room for: held in their order, unacknowledged, which makes the broker hold what comes after."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from botplatform.errors import Retry
from botplatform.sources.mqtt.message import Message

Arrived = tuple[Message, Callable[[], None]]
"""A message, and what acknowledges it."""
Receive = Callable[[Sequence[Arrived]], int]
"""Takes in as many messages as there is room for, from the first on: returns their number, or raises Retry for none."""

TRY_EVERY: Final = 0.2


class Held:
    """Hands messages to `receive`, in their order; those it does not take are held, and those behind them.

    No more than `limit` messages are out of its hands and not acknowledged: a broker that was told so should send no
    more, but there are those (Mosquitto 2.0.11) that do. Messages of QoS 0 come without end: beyond `limit` held ones
    they are let go, which `on_dropped` hears. Not safe for several threads.
    """

    def __init__(self, receive: Receive, limit: int, on_dropped: Callable[[], object]) -> None:
        self._receive = receive
        self._limit = limit
        self._on_dropped = on_dropped
        self._messages: deque[Arrived] = deque()
        self._under_way = 0
        self._next_try = 0.0

    def __len__(self) -> int:
        return len(self._messages)

    def receive(self, arrived: Sequence[Arrived]) -> None:
        """Hand messages on, and hold the rest."""
        taken = 0 if self._messages else self._taken(arrived)
        for one in arrived[taken:]:
            if one[0].qos == 0 and len(self._messages) >= self._limit:
                self._on_dropped()
            else:
                self._messages.append(one)

    def go_on(self) -> None:
        """Hand on what there is room for by now."""
        if self._messages and time.monotonic() >= self._next_try:
            for _ in range(self._taken([*islice(self._messages, self._limit)])):
                self._messages.popleft()

    def acknowledged(self, count: int) -> None:
        """Note that so many of those handed on were acknowledged, which makes room for others."""
        self._under_way -= count

    def connection_broke(self) -> None:
        """Forget what the broker will deliver again."""
        self._under_way = 0
        self._messages = deque(held for held in self._messages if held[0].qos == 0)

    def _taken(self, arrived: Sequence[Arrived]) -> int:
        """How many were taken; where that is not as many as were offered, the next try comes after a pause."""
        offered = arrived[: self._limit - self._under_way]
        try:
            taken = self._receive(offered) if offered else 0
        except Retry:
            taken = 0
        if taken < len(offered):
            self._next_try = time.monotonic() + TRY_EVERY
        self._under_way += sum(message.qos > 0 for message, _ in offered[:taken])
        return taken
