"""What people and plugins can expect of the broker that comes with the platform."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from botplatform.errors import BotplatformError
from botplatform.hosts.local.broker import MAX_PAYLOAD, EmbeddedBroker
from botplatform.hosts.mqtt.client import Connection
from tests.hosts.mqtt.clients import Connect, Received, break_instead_of, refusal
from tests.mosquitto import eventually, publish


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker()
    broker.start()
    yield broker
    broker.stop()


VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


def connection(embedded: EmbeddedBroker, version: Any, name: str) -> Connection:
    url = embedded.mqtt5_url if version == "5" else embedded.url
    return Connection(url, client_id=f"{name}-{version}", version=version)


def port(url: str) -> int:
    return int(url.rpartition(":")[2])


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_people_publish_with_mosquitto_pub_and_clients_of_both_versions_hear_it(
    embedded: EmbeddedBroker, connect: Connect, version: str, qos: int
) -> None:
    received = Received()
    top = f"hear/{version}/{qos}"
    connect(connection(embedded, version, "hear"), received, {f"{top}/+/light": 1, f"{top}/all/#": 2})
    publish(port(embedded.url), f"{top}/kitchen/light", "on", qos=qos)
    publish(port(embedded.url), f"{top}/all/a/b", "too", qos=qos)

    assert received.payloads(2) == [b"on", b"too"]


def test_clients_of_both_versions_see_each_other(embedded: EmbeddedBroker, connect: Connect) -> None:
    old, new = Received(), Received()
    older = connect(connection(embedded, "3.1.1", "see"), old, {"from/new": 1})
    newer = connect(connection(embedded, "5", "see"), new, {"from/old": 1})
    older.publish("from/old", b"to the new")
    newer.publish("from/new", b"to the old", qos=2)

    assert (old.payloads(1), new.payloads(1)) == ([b"to the old"], [b"to the new"])


def test_what_we_publish_reaches_clients_of_both_versions_whatever_we_know_of_it(
    embedded: EmbeddedBroker, connect: Connect
) -> None:
    old, new = Received(), Received()
    connect(connection(embedded, "3.1.1", "told"), old, {"told": 1})
    connect(connection(embedded, "5", "told"), new, {"told": 1})
    client = connect(embedded.connection("tells"), Received(), {"unheard": 1})
    for qos in (0, 1, 2):
        client.publish("told", b"%d" % qos, qos, key=str(qos), chain="lamp.light")

    assert (old.payloads(3), new.payloads(3)) == ([b"0", b"1", b"2"], [b"0", b"1", b"2"])


def test_a_connection_that_broke_leaves_no_message_behind_that_cannot_be_published(
    embedded: EmbeddedBroker, connect: Connect
) -> None:
    client = connect(embedded.connection("breaks"), Received(), {"unheard": 1})
    break_instead_of(client, "release")
    eventually(lambda: not refusal(client))


@VERSIONS
def test_retained_messages_come_with_a_new_subscription(
    embedded: EmbeddedBroker, connect: Connect, version: str
) -> None:
    received = Received()
    publish(port(embedded.url), f"kept/{version}", "state", more=["-r"])
    connect(connection(embedded, version, "kept"), received, {f"kept/{version}": 1})
    [message] = received.messages(1)

    assert (message.payload, message.retain) == (b"state", True)


@VERSIONS
def test_messages_wait_for_a_client_that_is_away(embedded: EmbeddedBroker, connect: Connect, version: str) -> None:
    received = Received()
    away = connection(embedded, version, "away")
    connect(away, received, {f"mail/{version}": 1}).stop()
    letters = [f"letter {number}" for number in range(500)]
    publish(port(embedded.url), f"mail/{version}", *letters)
    connect(away, received)

    assert received.payloads(500) == [letter.encode() for letter in letters]


@VERSIONS
def test_messages_finished_out_of_order_do_not_break_the_connection(
    embedded: EmbeddedBroker, connect: Connect, version: str
) -> None:
    received = Received()
    client = connect(connection(embedded, version, "order"), received, {f"jobs/{version}": 1})
    publish(port(embedded.url), f"jobs/{version}", "a", "b", "c")
    for _, acknowledge in reversed([received.next() for _ in range(3)]):
        acknowledge()
    client.publish(f"jobs/{version}", b"d")

    assert received.payloads(1) == [b"d"]


@VERSIONS
def test_it_tells_that_acknowledgements_have_arrived(embedded: EmbeddedBroker, connect: Connect, version: str) -> None:
    received = Received()
    confirmed: list[int] = []
    filters = {f"told/{version}": 1}
    client = connect(connection(embedded, version, "told"), received, filters, on_confirmed=confirmed.extend)
    client.publish(f"told/{version}", b"")
    message, acknowledge = received.next()
    acknowledge()
    eventually(lambda: confirmed)

    assert confirmed == [message.packet_id]


def test_user_properties_arrive_with_mqtt_5(embedded: EmbeddedBroker, connect: Connect) -> None:
    received = Received()
    connect(connection(embedded, "5", "properties"), received, {"with/properties": 1})
    properties = ["-V", "5", "-D", "publish", "user-property", "id", "42"]
    publish(port(embedded.mqtt5_url), "with/properties", "x", more=properties)
    [message] = received.messages(1)

    assert message.properties == (("id", "42"),)


@VERSIONS
def test_a_payload_of_256_kb_passes(embedded: EmbeddedBroker, connect: Connect, version: str) -> None:
    received = Received()
    client = connect(connection(embedded, version, "large"), received, {f"large/{version}": 1})
    large = b"x" * (MAX_PAYLOAD - 100)  # the limit is for the whole packet
    client.publish(f"large/{version}", large)

    assert received.payloads(1) == [large]


def test_our_own_client_speaks_mqtt_5_with_it(embedded: EmbeddedBroker, connect: Connect) -> None:
    own = embedded.connection("own")
    received = Received()
    client = connect(own, received, {"own": 1})
    client.publish("own", b"heard")

    assert own.version == "5"
    assert received.payloads(1) == [b"heard"]


def test_nobody_else_on_the_network_reaches_it(embedded: EmbeddedBroker) -> None:
    for url in (embedded.url, embedded.mqtt5_url):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.2", port(url))) != 0


def test_a_port_in_use_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        broker = EmbeddedBroker(number)
        with pytest.raises(BotplatformError, match=f"127.0.0.1:{number}.*in use.*MQTT_PORT"):
            broker.start()


def test_a_stopped_broker_has_freed_its_ports_and_starts_again_on_them() -> None:
    broker = EmbeddedBroker()
    for _ in range(2):
        broker.start()
        broker.stop()
        broker.stop()
    with socket.create_server(("127.0.0.1", port(broker.url))):
        pass


def test_a_broker_that_ends_while_it_starts_is_said() -> None:
    broker = EmbeddedBroker(max_payload=-1)  # what rumqttd does not take
    with pytest.raises(BotplatformError, match=r"the broker cannot start: its process ended with 1"):
        broker.start()
