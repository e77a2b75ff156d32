"""What we published ourselves, known when it comes back, for brokers that carry no word of who led to a message."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from botplatform.effect import Publication
from botplatform.sources.mqtt.deliveries import digest
from botplatform.sources.mqtt.message import Message

SECONDS: Final = 60.0
LIMIT: Final = 10_000
_OF_EACH: Final = 100


class Echoes:
    """Remembers for a minute which handlers led to a message, by its topic and payload; safe to use from any thread.

    Each message that was published gives its chain to one that comes: what a device says itself, be it the same, is
    then taken for an echo only if the real one never came. Of different messages the last 10,000 are remembered.
    """

    def __init__(self) -> None:
        self._chains: dict[str, deque[tuple[float, str]]] = {}
        self._lock = threading.Lock()

    def published(self, message: Publication, now: float) -> None:
        """Note a message that is about to be published; `now` is in seconds."""
        if not message.chain:
            return
        content = digest(message.topic, message.payload)
        with self._lock:
            chains = self._chains.pop(content, None) or deque(maxlen=_OF_EACH)
            chains.append((now + SECONDS, message.chain))
            self._chains[content] = chains  # the latest is last
            while len(self._chains) > LIMIT or next(iter(self._chains.values()))[-1][0] <= now:
                del self._chains[next(iter(self._chains))]

    def chain_of(self, message: Message, now: float) -> str:
        """The chain that an arriving message was published with, or nothing."""
        if not self._chains:
            return ""
        content = digest(message.topic, message.payload)
        with self._lock:
            while content in self._chains:
                chains = self._chains[content]
                until, chain = chains.popleft()
                if not chains:
                    del self._chains[content]
                if now < until:
                    return chain
        return ""
