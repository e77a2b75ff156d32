"""The MQTT client with a real broker: nothing is acknowledged too early, and nothing taken is lost."""

from __future__ import annotations

import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event, Thread, Timer
from threading import enumerate as threads
from typing import Any

import pytest

from botplatform.errors import NotAttempted, Rejected, Retry, StateUnavailable
from botplatform.hosts.mqtt.client import Connection, MqttClient, backoff
from botplatform.hosts.mqtt.held import Arrived
from botplatform.sources.mqtt.deliveries import Deliveries, Delivery, Standing
from botplatform.sources.mqtt.message import Message
from tests.hosts.mqtt.clients import Connect, MakeBroker, Received, acknowledged, subscribed
from tests.mosquitto import HOST, Certificates, Mosquitto, eventually, issue_certificates, password_file

VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


def ignore(arrived: Sequence[Arrived]) -> int:
    """For clients that only publish."""
    return len(arrived)


def deliveries(kept: Iterable[Delivery] = ()) -> Deliveries:
    numbers = count(1)
    return Deliveries(kept, Standing(), lambda: f"id-{next(numbers)}")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "botplatform")
    return caplog


@VERSIONS
def test_what_was_not_acknowledged_comes_again_to_the_next_process(
    mosquitto: Mosquitto, connect: Connect, version: Any
) -> None:
    connection = Connection(mosquitto.url, client_id="c", version=version)
    received, known = Received(), deliveries()
    first = connect(connection, received, {"door": 1})
    mosquitto.publish("door", "open", "shut", "open")
    (done, acknowledge), (shut, _), (opened, _) = [received.next() for _ in range(3)]
    _, kept = known.identify([done, shut, opened])
    acknowledge()
    first.stop()

    connect(connection, received)
    again = received.messages(2)
    remembered = deliveries(kept)

    assert [(message.payload, message.duplicate) for message in again] == [(b"shut", True), (b"open", True)]
    assert [message.packet_id for message in again] == [shut.packet_id, opened.packet_id]
    assert remembered.identify(again)[1] == kept[1:]


@VERSIONS
def test_what_was_not_acknowledged_comes_again_when_the_broker_restarts(
    mosquitto: Mosquitto, connect: Connect, version: Any
) -> None:
    received, known = Received(), deliveries()
    connect(Connection(mosquitto.url, client_id="c", version=version), received, {"door": 1})
    mosquitto.publish("door", "open")
    [before] = received.messages(1)
    mosquitto.stop()
    mosquitto.start()
    [after] = received.messages(1)

    assert (after.duplicate, after.packet_id) == (True, before.packet_id)
    assert known.identify([before])[1] == known.identify([after])[1]


def test_an_acknowledgement_for_an_earlier_connection_does_nothing(mosquitto: Mosquitto, connect: Connect) -> None:
    connection = Connection(mosquitto.url, client_id="c")
    received = Received()
    client = connect(connection, received, {"door": 1})
    mosquitto.publish("door", "open", "shut")
    (_, early), (_, late) = received.next(), received.next()
    mosquitto.stop()
    early()
    mosquitto.start()
    received.messages(2)
    late()
    client.stop()
    connect(connection, received)

    assert received.payloads(2) == [b"open", b"shut"]


@pytest.mark.parametrize("error", [StateUnavailable("the disk is full"), ValueError("a bug")], ids=["foreseen", "bug"])
def test_a_message_that_could_not_be_received_comes_again_in_its_place(
    mosquitto: Mosquitto, connect: Connect, log: pytest.LogCaptureFixture, error: Exception
) -> None:
    received = Received()
    failures = iter([error])

    def receive(arrived: Sequence[Arrived]) -> int:
        if any(message.payload == b"two" for message, _ in arrived):
            for failure in failures:
                raise failure
        return received(arrived)

    connect(Connection(mosquitto.url, client_id="c"), acknowledged(receive), {"t": 1})
    mosquitto.publish("t", "one", "two", "three")

    assert [message.payload for message in received.messages(3)] == [b"one", b"two", b"three"]
    assert str(error) in log.text


@VERSIONS
def test_confirmed_acknowledgements_are_told_and_the_others_are_not(
    mosquitto: Mosquitto, connect: Connect, version: Any
) -> None:
    received = Received()
    confirmed: list[int] = []
    connect(
        Connection(mosquitto.url, client_id="c", version=version),
        received,
        {"t": 1},
        on_confirmed=confirmed.extend,
    )
    mosquitto.publish("t", "one", "two", "three")
    arrived = [received.next() for _ in range(3)]
    for _, acknowledge in arrived[:2]:
        acknowledge()
    eventually(lambda: len(confirmed) == 2)

    assert confirmed == [message.packet_id for message, _ in arrived[:2]]


def test_what_was_acknowledged_before_stopping_does_not_come_again(mosquitto: Mosquitto, connect: Connect) -> None:
    connection, received = Connection(mosquitto.url, client_id="c"), Received()
    client = connect(connection, received, {"t": 1})
    mosquitto.publish("t", *map(str, range(100)))
    assert len(received.payloads(100)) == 100
    client.stop()
    client = connect(connection, received, {"t": 1})
    client.publish("t", b"last")

    assert received.payloads(1) == [b"last"]


@VERSIONS
def test_a_broker_that_is_slow_has_read_all_acknowledgements_before_somebody_else_goes_on(
    mosquitto: Mosquitto, connect: Connect, version: Any
) -> None:
    connection, received = Connection(mosquitto.url, client_id="c", version=version), Received()
    client = connect(connection, received, {"t": 1})
    mosquitto.publish("t", *map(str, range(20)))
    arrived = [received.next() for _ in range(20)]
    mosquitto.freeze()
    for _, acknowledge in arrived:
        acknowledge()
    thaw = Timer(0.3, mosquitto.thaw)
    thaw.start()
    client.stop()
    client = connect(connection, received, {"t": 1})
    client.publish("t", b"last")

    assert received.payloads(1) == [b"last"]
    thaw.join()


def test_a_broker_that_hangs_does_not_keep_us_from_leaving(mosquitto: Mosquitto, connect: Connect) -> None:
    client = connect(Connection(mosquitto.url, client_id="c"), Received(), {"t": 1})
    mosquitto.freeze()
    client.stop()
    assert not client.connected
    mosquitto.thaw()


def test_an_acknowledgement_does_not_wait_until_the_network_thread_looks_for_it(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    received = Received()
    client = connect(Connection(mosquitto.url, client_id="c"), received, {"t": 1}, receive_maximum=1)
    client._turn = partial(client._paho.loop, 3600)  # type: ignore[method-assign]
    mosquitto.publish("t", "one", "two", "three")

    assert received.payloads(3) == [b"one", b"two", b"three"]


def test_acknowledgements_from_any_thread_leave_at_once_and_in_order(
    mosquitto: Mosquitto, connect: Connect, tmp_path: Path
) -> None:
    received = Received()
    connect(Connection(mosquitto.url, client_id="c"), received, {"t": 1}, receive_maximum=50)
    mosquitto.publish("t", *map(str, range(200)))
    for _ in range(4):
        threads = [Thread(target=acknowledge) for _, acknowledge in reversed([received.next() for _ in range(50)])]
        for thread in threads:
            thread.start()

    def seen() -> list[str]:
        return re.findall(r"Received PUBACK from c \(Mid: (\d+)", (tmp_path / "mosquitto.log").read_text())

    eventually(lambda: len(seen()) == 200)
    assert [int(packet_id) for packet_id in seen()] == [*range(1, 201)]


class Keeper:
    """Keeps the network thread that it is lent next, until it lets go."""

    def __init__(self) -> None:
        self.let_go = Event()
        self.keeps = Event()
        self._wanted = Event()
        self._others = {*threads()}

    def __call__(self, take_over: Callable[[], None]) -> bool:
        if not self._wanted.is_set():
            return True
        self._wanted.clear()
        self.take_over = take_over
        self.keeps.set()
        assert self.let_go.wait(20)
        return False

    def keep(self, mosquitto: Mosquitto) -> None:
        """Return when a thread is kept, which a message wakes; `take_over` has another one go on."""
        self._wanted.set()
        mosquitto.publish("t", "kept")
        assert self.keeps.wait(20)

    def network_threads(self) -> int:
        """How many there are of the test's own client."""
        return sum(thread.name == "mqtt" for thread in threads() if thread not in self._others)


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    keeper = Keeper()
    yield keeper
    keeper.let_go.set()


def test_while_the_network_thread_is_kept_another_one_goes_on(
    mosquitto: Mosquitto, connect: Connect, keeper: Keeper
) -> None:
    received = Received()
    client = connect(Connection(mosquitto.url, client_id="c"), received, {"t": 1}, help=keeper)
    keeper.keep(mosquitto)
    keeper.take_over()
    mosquitto.publish("t", "one")
    client.publish("t", b"two")
    assert received.payloads(3) == [b"kept", b"one", b"two"]

    assert keeper.network_threads() == 2
    keeper.let_go.set()
    eventually(lambda: keeper.network_threads() == 1)
    client.publish("t", b"three")
    assert received.payloads(1) == [b"three"]


def test_a_kept_thread_that_comes_back_leaves_the_next_connection_alone(
    mosquitto: Mosquitto, connect: Connect, keeper: Keeper
) -> None:
    received = Received()
    client = connect(Connection(mosquitto.url, client_id="c"), received, {"t": 1}, help=keeper)
    keeper.keep(mosquitto)
    keeper.take_over()
    assert received.payloads(1) == [b"kept"]
    mosquitto.stop()
    mosquitto.start()
    eventually(lambda: client.connected)
    keeper.let_go.set()
    eventually(lambda: keeper.network_threads() == 1)
    client.publish("t", b"one")

    assert received.payloads(1) == [b"one"]


def test_stopping_does_not_wait_for_a_thread_that_is_kept(
    mosquitto: Mosquitto, connect: Connect, keeper: Keeper
) -> None:
    received = Received()
    client = connect(Connection(mosquitto.url, client_id="c"), received, {"t": 1}, help=keeper)
    keeper.keep(mosquitto)
    stopping = Thread(target=client.stop)
    stopping.start()
    stopping.join(0.2)  # it waits for the thread that is kept
    keeper.take_over()
    stopping.join(20)

    assert not stopping.is_alive()
    assert not client.connected
    assert keeper.network_threads() == 1, "it is kept still"


def test_many_messages_are_in_flight_at_once(mosquitto: Mosquitto, connect: Connect) -> None:
    received = Received()
    connect(Connection(mosquitto.url, client_id="c"), received, {"t": 1}, receive_maximum=500)
    mosquitto.publish("t", *map(str, range(600)))

    assert len(received.messages(500)) == 500
    assert received.empty()


def test_user_properties_and_the_retain_flag_arrive(mosquitto: Mosquitto, connect: Connect) -> None:
    received = Received()
    properties = ["-V", "5", "-r"]
    for value in ("1", "2"):
        properties += ["-D", "publish", "user-property", "id", value]
    mosquitto.publish("t", "x", more=properties)
    connect(Connection(mosquitto.url, client_id="c"), received, {"t": 1})
    [message] = received.messages(1)

    assert message == Message("t", b"x", 1, True, False, message.packet_id, (("id", "1"), ("id", "2")))


def test_a_subscription_of_qos_2_is_one_of_qos_1(mosquitto: Mosquitto, connect: Connect) -> None:
    received = Received()
    connect(Connection(mosquitto.url, client_id="c"), received, {"t": 2})
    mosquitto.publish("t", "x", qos=2)

    assert received.messages(1)[0].qos == 1


def test_subscribing_replaces_what_was_subscribed_to(mosquitto: Mosquitto, connect: Connect) -> None:
    received = Received()
    client = connect(Connection(mosquitto.url, client_id="c"), received, {"a": 1, "b": 1})
    client.subscribe({"b": 1, "c": 1})
    for topic in ("a", "b", "c"):
        client.publish(topic, topic.encode())

    assert received.payloads(2) == [b"b", b"c"]


def test_filters_of_an_earlier_process_are_left(mosquitto: Mosquitto, connect: Connect) -> None:
    connection = Connection(mosquitto.url, client_id="c")
    received = Received()
    connect(connection, received, {"a": 1}).stop()
    client = connect(connection, received, {"b": 1}, subscribed=["a"])
    for topic in ("a", "b"):
        client.publish(topic, topic.encode())

    assert received.payloads(1) == [b"b"]


def test_a_lost_session_is_told_and_its_subscriptions_are_made_again(mosquitto: Mosquitto, connect: Connect) -> None:
    received, lost = Received(), Event()
    connection = Connection(mosquitto.url, client_id="c")
    client = connect(connection, received, {"t": 1}, on_session_lost=lost.set)
    assert lost.is_set(), "a new session is one without what an earlier one remembered"
    lost.clear()
    mosquitto.stop()
    mosquitto.forget()
    mosquitto.start()
    assert lost.wait(20)
    subscribed(client)
    mosquitto.publish("t", "heard")

    assert received.payloads(1) == [b"heard"]


def test_a_session_that_is_still_there_is_not_a_lost_one(mosquitto: Mosquitto, connect: Connect) -> None:
    connection = Connection(mosquitto.url, client_id="c")
    connect(connection, ignore, {"t": 1}).stop()
    lost = Event()
    connect(connection, ignore, {"t": 1}, on_session_lost=lost.set)

    assert not lost.is_set()


@pytest.mark.parametrize("qos", [0, 1, 2])
@VERSIONS
def test_what_is_published_arrives(mosquitto: Mosquitto, connect: Connect, version: Any, qos: int) -> None:
    received = Received()
    client = connect(Connection(mosquitto.url, client_id="c", version=version), received)
    eventually(lambda: client.connected)
    client.publish("t", b"kept", qos, retain=True)
    client.subscribe({"t": 1})
    client.publish("t", b"x", qos)

    assert [(message.payload, message.retain) for message in received.messages(2)] == [(b"kept", True), (b"x", False)]


def test_publishing_without_a_connection_is_to_be_tried_later() -> None:
    client = MqttClient(Connection(f"mqtt://{HOST}:1", client_id="c"), ignore)
    with pytest.raises(NotAttempted, match="no connection"):
        client.publish("t", b"x")


def test_publishing_to_a_broker_that_does_not_answer_is_to_be_tried_later(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    client = connect(Connection(mosquitto.url, client_id="c"), ignore)
    eventually(lambda: client.connected)
    mosquitto.freeze()
    with pytest.raises(Retry, match="took no message"):
        client.publish("t", b"x", timeout=0.1)
    mosquitto.thaw()


def test_publishing_fails_at_once_when_the_connection_breaks(mosquitto: Mosquitto, connect: Connect) -> None:
    client = connect(Connection(mosquitto.url, client_id="c"), ignore)
    eventually(lambda: client.connected)
    mosquitto.freeze()
    failures: list[Exception] = []

    def publish() -> None:
        try:
            client.publish("t", b"x", timeout=1000)
        except Retry as error:
            failures.append(error)

    thread = Thread(target=publish)
    thread.start()
    mosquitto.kill()
    thread.join()

    assert "broke" in str(failures[0])


def test_publishing_what_the_broker_refuses_is_to_be_tried_later(
    broker: MakeBroker, connect: Connect, tmp_path: Path
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read #\n")
    client = connect(Connection(broker("allow_anonymous true", f"acl_file {acl}").url, client_id="c"), ignore)
    eventually(lambda: client.connected)
    with pytest.raises(Retry, match="Not authorized"):
        client.publish("t", b"x")


@pytest.mark.parametrize("topic", ["rooms/+", "#"])
def test_a_filter_is_no_topic_to_publish_to(mosquitto: Mosquitto, connect: Connect, topic: str) -> None:
    client = connect(Connection(mosquitto.url, client_id="c"), ignore)
    eventually(lambda: client.connected)
    with pytest.raises(Rejected, match="cannot be published to"):
        client.publish(topic, b"x")


def test_a_broker_that_is_down_at_first_is_connected_to_when_it_is_up(
    mosquitto: Mosquitto, connect: Connect, log: pytest.LogCaptureFixture
) -> None:
    mosquitto.stop()
    received = Received()
    client = connect(Connection(mosquitto.url, client_id="c"), received)
    client.subscribe({"t": 1})
    eventually(lambda: "Connection refused" in log.text)
    mosquitto.start()
    subscribed(client)
    mosquitto.publish("t", "heard")

    assert received.payloads(1) == [b"heard"]


def test_nothing_that_was_taken_is_lost_when_the_broker_restarts_and_topics_keep_their_order(
    mosquitto: Mosquitto, connect: Connect
) -> None:
    received, known = Received(), deliveries()
    connect(Connection(mosquitto.url, client_id="hears"), received, {"room/+": 1})
    client = connect(Connection(mosquitto.url, client_id="tells"), ignore)
    eventually(lambda: client.connected)
    publishers = [Thread(target=publish_all, args=(client, f"room/{room}", 200)) for room in range(3)]
    for publisher in publishers:
        publisher.start()
    heard = events(received, known)
    first = [next(heard) for _ in range(100)]
    mosquitto.stop()
    mosquitto.start()
    for publisher in publishers:
        publisher.join()
    client.publish("room/end", b"")
    rest = list(iter(lambda: next(heard), ("room/end", b"")))

    for room in range(3):
        numbers = [int(payload) for topic, payload in first + rest if topic == f"room/{room}"]
        assert list(dict.fromkeys(numbers)) == list(range(200))
        assert numbers == sorted(numbers)


def publish_all(client: MqttClient, topic: str, count: int) -> None:
    """Publish numbers, each until the broker took it."""
    for number in range(count):
        while True:
            try:
                client.publish(topic, b"%d" % number)
                break
            except Retry:
                time.sleep(0.01)


def events(received: Received, known: Deliveries) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of each event, once."""
    seen = set()
    while True:
        message, acknowledge = received.next()
        [delivery] = known.identify([message])[1]
        acknowledge()
        if delivery.event_id not in seen:
            seen.add(delivery.event_id)
            yield message.topic, message.payload


def test_user_and_password_let_us_in(
    broker: MakeBroker, connect: Connect, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    running = broker("allow_anonymous false", f"password_file {password_file(tmp_path, 'me', 's3cret/@')}")
    right = connect(Connection(f"mqtt://me:s3cret%2F%40@{HOST}:{running.port}", client_id="right"), ignore)
    wrong = connect(Connection(f"mqtt://me:wr0ng@{HOST}:{running.port}", client_id="wrong"), ignore)
    eventually(lambda: right.connected)
    eventually(lambda: "refused the connection: Not authorized" in log.text)

    assert not wrong.connected
    assert "s3cret" not in log.text
    assert "wr0ng" not in log.text


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secured(broker: MakeBroker, certificates: Certificates) -> Mosquitto:
    """A broker that wants a client certificate."""
    own = f"certfile {certificates.server}", f"keyfile {certificates.server}"
    return broker("allow_anonymous true", f"cafile {certificates.ca}", *own, "require_certificate true", scheme="mqtts")


@VERSIONS
def test_tls_with_our_own_authority_and_a_client_certificate(
    secured: Mosquitto, connect: Connect, certificates: Certificates, version: Any
) -> None:
    received = Received()
    files: Any = {"ca_file": str(certificates.ca), "cert_file": str(certificates.client)}
    client = connect(Connection(secured.url, client_id="c", version=version, **files), received, {"t": 1})
    for number in range(100):
        client.publish("t", b"%d" % number)

    assert received.payloads(100) == [b"%d" % number for number in range(100)]


@pytest.mark.parametrize(
    ("host", "files", "says"),
    [
        pytest.param(HOST, {"ca_file": "stranger"}, "could not be verified with .*stranger.pem", id="wrong authority"),
        pytest.param(HOST, {}, "the authorities this machine trusts", id="no authority"),
        pytest.param("localhost", {"ca_file": "ca"}, "certificate is not valid for 'localhost'", id="wrong host"),
        pytest.param(HOST, {"ca_file": "ca"}, "certificate required", id="no client certificate"),
    ],
)
def test_tls_that_cannot_be_trusted_says_why(
    secured: Mosquitto,
    connect: Connect,
    certificates: Certificates,
    log: pytest.LogCaptureFixture,
    host: str,
    files: dict[str, str],
    says: str,
) -> None:
    given: dict[str, Any] = {name: str(getattr(certificates, file)) for name, file in files.items()}
    client = connect(Connection(f"mqtts://{host}:{secured.port}", client_id="c", **given), ignore)
    eventually(lambda: "no connection to" in log.text)

    assert re.search(says, log.text)
    assert not client.connected


def test_a_client_that_speaks_plainly_to_a_tls_port_does_not_connect(
    secured: Mosquitto, connect: Connect, log: pytest.LogCaptureFixture
) -> None:
    client = connect(Connection(f"mqtt://{HOST}:{secured.port}", client_id="c"), ignore)
    eventually(lambda: "no connection to" in log.text)

    assert not client.connected


def test_a_broker_of_our_own_is_news_only_when_it_could_not_be_reached(
    mosquitto: Mosquitto, connect: Connect, log: pytest.LogCaptureFixture
) -> None:
    client = connect(Connection(mosquitto.url, client_id="c", own=True), ignore, {"t": 1})
    assert log.messages == []

    mosquitto.stop()
    eventually(lambda: "no connection to" in log.text)
    mosquitto.start()
    eventually(lambda: "connected to" in log.text.splitlines()[-1])
    client.stop()
    *troubles, news = [record.levelname for record in log.records]
    assert ({*troubles}, news) == ({"WARNING"}, "INFO")


def test_a_broker_that_stays_away_is_logged_once(connect: Connect, log: pytest.LogCaptureFixture) -> None:
    with socket.create_server((HOST, 0)) as hangs_up:
        client = connect(Connection(f"mqtt://{HOST}:{hangs_up.getsockname()[1]}", client_id="c"), ignore)
        for _ in range(3):
            connection, _ = hangs_up.accept()
            with connection:
                connection.recv(1000)
        client.stop()

    assert [record.levelname for record in log.records] == ["WARNING", "INFO"]


def test_stopping_needs_no_connection() -> None:
    client = MqttClient(Connection(f"mqtt://{HOST}:1", client_id="c"), ignore)
    client.stop()
    client.start()
    client.stop()

    assert not client.connected


def test_stopping_while_it_connects_takes_leave_of_the_broker(certificates: Certificates) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.server)
    tls.num_tickets = 0  # a client that leaves at once would not have read them, which resets the connection
    with socket.create_server((HOST, 0)) as listener:
        url = f"mqtts://{HOST}:{listener.getsockname()[1]}"
        client = MqttClient(Connection(url, client_id="c", ca_file=str(certificates.ca)), ignore)
        client.start()
        accepted, _ = listener.accept()
        stopping = Thread(target=client.stop)
        stopping.start()
        with tls.wrap_socket(accepted, server_side=True) as connection:
            sent = b"".join(iter(lambda: connection.recv(1000), b""))
        stopping.join()

    assert sent.endswith(b"\xe0\x00"), "that is DISCONNECT"


def test_the_wait_grows_to_a_minute_and_differs_among_clients() -> None:
    assert [backoff(failures, luck=0) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert [backoff(failures, luck=1) for failures in range(1, 9)] == [2, 4, 8, 16, 32, 60, 60, 60]
