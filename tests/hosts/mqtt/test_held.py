"""What becomes of messages there is no room for, with a broker that goes on sending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from botplatform.errors import Retry
from botplatform.hosts.local.broker import EmbeddedBroker
from botplatform.hosts.mqtt.client import Connection
from botplatform.hosts.mqtt.held import Held
from botplatform.sources.mqtt.message import Message
from tests.hosts.mqtt.clients import Connect, Received, subscribed
from tests.mosquitto import Mosquitto, eventually


class Narrow(Received):
    """Takes in as many messages as it has room for."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.refused = 0

    def __call__(self, message: Message, acknowledge: Callable[[], None]) -> None:
        if not self.room:
            self.refused += 1
            raise Retry("no room")
        self.room -= 1
        super().__call__(message, acknowledge)


def numbers(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last)]


def message(number: int, qos: int = 1) -> Message:
    return Message("numbers", b"%d" % number, qos, retain=False, duplicate=False, packet_id=number)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_messages_there_is_no_room_for_arrive_later_in_their_order_and_over_the_same_connection(
    mosquitto: Mosquitto, connect: Connect, version: Any
) -> None:
    narrow, lost = Narrow(3), list[str]()
    connection = Connection(mosquitto.url, client_id="c", version=version)
    client = connect(connection, narrow, {"numbers": 1}, on_session_lost=lambda: lost.append("session"))
    lost.clear()
    mosquitto.publish("numbers", *map(str, range(50)))
    assert narrow.payloads(3) == numbers(0, 3)
    eventually(lambda: narrow.refused > 2)
    client.publish("something else", b"", timeout=20)  # the connection is as good as ever

    narrow.room = 100
    assert narrow.payloads(47) == numbers(3, 50)
    assert (lost, narrow.empty()) == ([], True)


def test_messages_that_are_held_when_the_connection_breaks_come_again_and_each_once(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    narrow = Narrow(2)
    client = connect(Connection(mosquitto.url, client_id="c"), narrow, {"numbers": 1})
    mosquitto.publish("numbers", *map(str, range(10)))
    assert narrow.payloads(2) == numbers(0, 2)
    eventually(lambda: narrow.refused)
    subscribed(client)  # by now the broker has read the acknowledgements, too
    mosquitto.stop()
    eventually(lambda: not client.connected)
    mosquitto.start()
    eventually(lambda: client.connected)
    narrow.room = 100

    assert narrow.payloads(8) == numbers(2, 10)
    client.publish("numbers", b"last")
    assert narrow.payloads(1) == [b"last"]


def test_the_embedded_broker_holds_what_there_is_no_room_for(connect: Connect) -> None:
    broker, narrow = EmbeddedBroker(), Narrow(5)
    broker.start()
    try:
        connect(broker.connection("c"), narrow, {"numbers": 1})
        sender = connect(broker.connection("sender"), narrow)
        subscribed(sender)
        for number in range(400):
            sender.publish("numbers", b"%d" % number)
        assert narrow.payloads(5) == numbers(0, 5)
        eventually(lambda: narrow.refused > 2)
        narrow.room = 1000
        assert narrow.payloads(395) == numbers(5, 400)
    finally:
        broker.stop()


def test_messages_of_qos_0_are_held_up_to_a_limit_and_those_let_go_are_told_of() -> None:
    narrow, dropped = Narrow(1), list[int]()
    held = Held(narrow, 3, lambda: dropped.append(1))
    for number in range(10):
        held.receive(message(number, qos=0), lambda: None)
    assert (len(held), len(dropped)) == (3, 6)

    narrow.room = 100
    eventually(lambda: held.go_on() or not held)
    held.receive(message(10), lambda: None)
    assert narrow.payloads(5) == [*numbers(0, 4), b"10"]


def test_messages_of_qos_1_are_all_held_for_they_are_as_many_as_a_broker_sends_unacknowledged() -> None:
    held = Held(Narrow(0), 3, lambda: pytest.fail("dropped"))
    for number in range(10):
        held.receive(message(number), lambda: None)
    assert len(held) == 10


def test_what_is_tried_is_the_first_message_alone_and_not_without_a_pause() -> None:
    narrow = Narrow(0)
    held = Held(narrow, 100, lambda: None)
    for number in range(100):
        held.receive(message(number), lambda: None)
        held.go_on()
    assert narrow.refused == 1
