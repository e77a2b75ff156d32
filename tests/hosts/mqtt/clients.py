"""What tests of the MQTT client say often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, Protocol

from botplatform.errors import Retry
from botplatform.hosts.mqtt.client import Connection, MqttClient
from botplatform.hosts.mqtt.held import Arrived
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


def acknowledged(receive: Callable[[Sequence[Arrived]], int]) -> Callable[[Sequence[Arrived]], int]:
    """Hand messages to `receive`, and acknowledge those it has taken."""

    def receive_and_acknowledge(arrived: Sequence[Arrived]) -> int:
        taken = receive(arrived)
        for _, acknowledge in arrived[:taken]:
            acknowledge()
        return taken

    return receive_and_acknowledge


class Received:
    """What a client received, in order, each with its acknowledgement."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[Arrived] = SimpleQueue()

    def __call__(self, arrived: Sequence[Arrived]) -> int:
        for one in arrived:
            self._arrived.put(one)
        return len(arrived)

    def next(self) -> Arrived:
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


def refusal(client: MqttClient, timeout: float = 10.0) -> str:
    """Why a message of QoS 2, always the same, could not be published to topic t just now; or nothing."""
    try:
        client.publish("t", b"x", 2, key="k", timeout=timeout)
    except Retry as retry:
        return str(retry)
    return ""


def break_after(client: MqttClient, step: str) -> None:
    """Publish that message, with the connection breaking when the broker answers a step, before that is noticed."""
    link, writing, answered = client._paho, getattr(client._paho, step), client._paho.on_answer

    def write(*arguments: Any) -> None:
        setattr(link, step, writing)
        link.on_answer = hang_up
        writing(*arguments)

    def hang_up(*_: Any) -> None:
        link.on_answer = answered
        link.hang_up()

    setattr(link, step, write)
    assert "broke" in refusal(client)


def break_instead_of(client: MqttClient, step: str) -> None:
    """Publish that message, with the connection breaking before a step."""
    link, writing = client._paho, getattr(client._paho, step)

    def hang_up(*_: Any) -> None:
        setattr(link, step, writing)
        link.hang_up()

    setattr(link, step, hang_up)
    refusal(client)
