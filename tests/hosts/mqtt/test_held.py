"""What becomes of messages there is no room for, with a broker that goes on sending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from botplatform.errors import Retry
from botplatform.hosts.local.broker import EmbeddedBroker
from botplatform.hosts.mqtt.client import Connection
from botplatform.hosts.mqtt.held import Arrived, Held
from botplatform.sources.mqtt.message import Message
from tests.hosts.mqtt.clients import Connect, Received, subscribed
from tests.mosquitto import Mosquitto, eventually


class Narrow(Received):
    """Takes in as many messages as it has room for."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.refused = 0

    def __call__(self, arrived: Sequence[Arrived]) -> int:
        if not self.room:
            self.refused += 1
            raise Retry("no room")
        taken = super().__call__(arrived[: self.room])
        self.room -= taken
        return taken


def numbers(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last)]


def arrived(*numbers: int, qos: int = 1) -> list[Arrived]:
    messages = [Message("numbers", b"%d" % n, qos, retain=False, duplicate=False, packet_id=n) for n in numbers]
    return [(message, lambda: None) for message in messages]


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
    held.receive(arrived(*range(5), qos=0))
    held.receive(arrived(*range(5, 10), qos=0))
    assert (len(held), len(dropped)) == (3, 6)

    narrow.room = 100
    eventually(lambda: held.go_on() or not held)
    held.receive(arrived(10))
    assert narrow.payloads(5) == [*numbers(0, 4), b"10"]


def test_messages_of_qos_1_are_all_held_for_they_are_as_many_as_a_broker_sends_unacknowledged() -> None:
    held = Held(Narrow(0), 3, lambda: pytest.fail("dropped"))
    held.receive(arrived(*range(10)))
    assert len(held) == 10


def test_what_is_held_is_not_tried_without_a_pause() -> None:
    narrow = Narrow(0)
    held = Held(narrow, 100, lambda: None)
    for number in range(100):
        held.receive(arrived(number))
        held.go_on()
    assert narrow.refused == 1


def test_what_there_is_room_for_is_taken_and_the_rest_is_held_in_its_order() -> None:
    narrow = Narrow(3)
    held = Held(narrow, 100, lambda: None)
    held.receive(arrived(*range(5)))
    narrow.room = 100
    held.receive(arrived(*range(5, 8)))
    assert narrow.payloads(3) == numbers(0, 3)
    assert narrow.empty()

    eventually(lambda: held.go_on() or not held)
    assert narrow.payloads(5) == numbers(3, 8)


def test_no_more_are_handed_on_than_may_be_unacknowledged_whatever_the_broker_sends() -> None:
    narrow = Narrow(100)
    held = Held(narrow, 3, lambda: None)
    held.receive(arrived(*range(7)))
    assert narrow.payloads(3) == numbers(0, 3)
    held.go_on()
    assert narrow.empty()

    held.acknowledged(2)
    held.go_on()
    assert narrow.payloads(2) == numbers(3, 5)
    assert (narrow.empty(), len(held)) == (True, 2)


def test_a_broker_that_sends_more_than_it_was_allowed_to_floods_nobody(mosquitto: Mosquitto, connect: Connect) -> None:
    received, connection = Received(), Connection(mosquitto.url, client_id="c")
    connect(connection, received, {"numbers": 1}).stop()
    mosquitto.publish("numbers", *map(str, range(90)))  # Mosquitto 2.0.11 has no limit for what waited
    connect(connection, received, receive_maximum=10).subscribe({"numbers": 1})
    for first in range(0, 90, 10):
        some = [received.next() for _ in range(10)]
        assert [message.payload for message, _ in some] == numbers(first, first + 10)
        assert received.empty()
        for _, acknowledge in some:
            acknowledge()
