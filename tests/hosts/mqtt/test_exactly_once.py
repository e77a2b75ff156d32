"""Messages of QoS 2 on their way out, with a real broker: each arrives once, whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from botplatform.hosts.mqtt.client import Connection, MqttClient
from botplatform.hosts.mqtt.exchanges import FIRST_ID
from botplatform.hosts.mqtt.paho_client import Paho
from botplatform.stores.sqlite import SqliteStore
from tests.hosts.mqtt.clients import (
    Connect,
    MakeBroker,
    Received,
    acknowledged,
    break_after,
    break_instead_of,
    refusal,
    subscribed,
)
from tests.mosquitto import Mosquitto, eventually

VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])
STEPS = pytest.mark.parametrize("step", ["send", "release"])
Teller = Callable[..., MqttClient]


@pytest.fixture
def heard() -> Received:
    """What the listener hears."""
    return Received()


@pytest.fixture
def listener(mosquitto: Mosquitto, heard: Received, connect: Connect) -> MqttClient:
    """Somebody else, who hears what is published to topic t."""
    return connect(Connection(mosquitto.url, client_id="hears"), acknowledged(heard), {"t": 1})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", synchronous="OFF")
    yield store
    store.close()


@pytest.fixture
def teller(connect: Connect, store: SqliteStore) -> Teller:
    """Connects the one that publishes; what it remembers is the same each time."""

    def make(mosquitto: Mosquitto, **options: Any) -> MqttClient:
        connection = replace(Connection(mosquitto.url, client_id="tells"), **options)
        client = connect(connection, len, notes=store)
        eventually(lambda: client.connected)
        return client

    return make


@STEPS
@VERSIONS
@pytest.mark.usefixtures("listener")
def test_a_message_whose_answer_was_lost_arrives_once_when_the_next_process_tries_again(
    mosquitto: Mosquitto, heard: Received, teller: Teller, version: str, step: str
) -> None:
    first = teller(mosquitto, version=version)
    break_after(first, step)
    first.stop()
    second = teller(mosquitto, version=version)
    for _ in range(2):
        second.publish("t", b"x", 2, key="k")
    second.publish("t", b"end", 2, key="end")

    assert heard.payloads(2) == [b"x", b"end"]


@STEPS
@VERSIONS
def test_it_arrives_once_too_when_the_broker_is_restarted_meanwhile(
    mosquitto: Mosquitto, listener: MqttClient, heard: Received, teller: Teller, version: str, step: str
) -> None:
    client = teller(mosquitto, version=version)
    break_after(client, step)
    listener.publish("elsewhere", b"")  # so that the broker has the listener's acknowledgement, if it has heard it
    mosquitto.stop()
    mosquitto.start()
    eventually(lambda: not refusal(client))
    client.publish("t", b"end", 2, key="end")

    assert heard.payloads(2) == [b"x", b"end"]


@pytest.mark.parametrize("breaks", [partial(break_after, step="send"), partial(break_instead_of, step="release")])
def test_what_a_broker_took_and_forgot_is_sent_anew(
    mosquitto: Mosquitto, listener: MqttClient, heard: Received, teller: Teller, breaks: Callable[[MqttClient], None]
) -> None:
    client = teller(mosquitto)
    breaks(client)
    mosquitto.stop()
    mosquitto.forget()
    mosquitto.start()
    subscribed(listener)
    eventually(lambda: not refusal(client))

    assert heard.payloads(1) == [b"x"]


@pytest.mark.usefixtures("listener")
def test_an_answer_that_is_late_counts_when_the_message_is_tried_again(
    mosquitto: Mosquitto, heard: Received, teller: Teller
) -> None:
    client = teller(mosquitto)
    mosquitto.freeze()
    assert "took no message" in refusal(client, timeout=0.1)
    assert "took no message" in refusal(client, timeout=0.1)
    mosquitto.thaw()
    assert not refusal(client)
    client.publish("t", b"end", 2)

    assert heard.payloads(2) == [b"x", b"end"]


def test_many_at_once_are_no_more_than_the_broker_takes(broker: MakeBroker, teller: Teller) -> None:
    client = teller(broker("allow_anonymous true", "max_inflight_messages 3"))
    with ThreadPoolExecutor(30) as publishers:
        sent = [publishers.submit(client.publish, "t", b"", 1 + n % 2, key=str(n)) for n in range(200)]

    assert not [one.exception() for one in sent if one.exception()]


def test_nothing_else_has_the_packet_id_of_an_exchange() -> None:
    others = Paho(Connection("mqtt://127.0.0.1", client_id="c"), 1)

    assert max(others.next_id() for _ in range(70_000)) == FIRST_ID - 1


def test_a_broker_that_takes_no_qos_2_is_given_qos_1(broker: MakeBroker, connect: Connect, teller: Teller) -> None:
    heard, mosquitto = Received(), broker("allow_anonymous true", "max_qos 1")
    connect(Connection(mosquitto.url, client_id="hears"), heard, {"t": 1})
    teller(mosquitto).publish("t", b"x", 2, key="k")

    assert heard.payloads(1) == [b"x"]


def test_what_the_broker_refuses_is_offered_again_as_something_new(
    broker: MakeBroker, teller: Teller, tmp_path: Path
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read #\n")
    client = teller(broker("allow_anonymous true", f"acl_file {acl}"))
    for _ in range(2):  # Mosquitto 2.0.11 hangs up each time
        eventually(lambda: "Not authorized" in refusal(client))
