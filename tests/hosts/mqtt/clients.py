"""What tests of the MQTT client say often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, Protocol

from botplatform.hosts.mqtt.client import Connection, MqttClient
from botplatform.sources.mqtt.message import Message
from tests.mosquitto import Mosquitto, eventually


class MakeBroker(Protocol):
    """Starts a Mosquitto with these lines for its listener."""

    def __call__(self, *lines: str, scheme: str = "mqtt") -> Mosquitto: ...


class Connect(Protocol):
    """Starts a client; with `filters` it returns once the broker has the subscriptions."""

    def __call__(
        self, connection: Connection, receive: Any, filters: Mapping[str, int] | None = None, **options: Any
    ) -> MqttClient: ...


class Received:
    """What a client received, in order, each with its acknowledgement."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[tuple[Message, Callable[[], None]]] = SimpleQueue()

    def __call__(self, message: Message, acknowledge: Callable[[], None]) -> None:
        self._arrived.put((message, acknowledge))

    def next(self) -> tuple[Message, Callable[[], None]]:
        """The next message; waits for it."""
        return self._arrived.get(timeout=20)

    def empty(self) -> bool:
        """Whether nothing more has arrived."""
        return self._arrived.empty()

    def messages(self, count: int) -> list[Message]:
        """The next messages, not acknowledged."""
        return [self.next()[0] for _ in range(count)]

    def payloads(self, count: int) -> list[bytes]:
        """The payloads of the next messages, which are acknowledged."""
        payloads = []
        for _ in range(count):
            message, acknowledge = self.next()
            payloads.append(message.payload)
            acknowledge()
        return payloads


def subscribed(client: MqttClient) -> None:
    """Wait until the broker has read our subscriptions: it answers a message that follows them."""
    eventually(lambda: client.connected)
    client.publish("subscribed", b"")
