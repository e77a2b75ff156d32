"""Our reading of a connection gives what paho's own does, however its bytes are cut."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from botplatform.hosts.mqtt.connection import Connection
from botplatform.hosts.mqtt.packets import Came, Malformed, Packet, Packets
from botplatform.hosts.mqtt.paho_client import Paho, message_of
from botplatform.sources.mqtt.message import Message

TOPIC = "sensors/kitchen"


def length(size: int) -> bytes:
    """A length as it is written: MQTT 5.0, 1.5.5."""
    digits = [size >> shift & 0x7F for shift in range(0, 28, 7) if shift == 0 or size >> shift]
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])


def packet(first: int, content: bytes) -> bytes:
    return bytes([first]) + length(len(content)) + content


def publish(message: Message, newest: bool) -> bytes:
    flags = message.duplicate << 3 | message.qos << 1 | message.retain
    topic = message.topic.encode()
    content = len(topic).to_bytes(2) + topic + (message.packet_id.to_bytes(2) if message.qos else b"")
    if newest:
        properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for pair in message.properties:
            properties.UserProperty = pair
        content += properties.pack()
    return packet(0x30 | flags, content + message.payload)


class Chunks:
    """A socket that gives what it has piece by piece."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = [chunk for chunk in chunks if chunk]

    def recv(self, size: int) -> bytes:
        if not self._chunks:
            raise BlockingIOError
        chunk, rest = self._chunks[0][:size], self._chunks[0][size:]
        self._chunks[:1] = [rest] if rest else []
        return chunk

    def __bool__(self) -> bool:
        return bool(self._chunks)

    def close(self) -> None:
        self._chunks.clear()


class Reading(Paho):
    """Leaves answers to paho: we hand them on whatever follows their reason code."""

    _packet_handle = paho.Client._packet_handle


Told = tuple[list[Any], bool]
"""What a client was told, in order, and whether the connection holds."""


def came_through(client: paho.Client, told: list[Any], chunks: Sequence[bytes]) -> Told:
    client.on_subscribe = lambda _client, _data, packet_id, *_: told.append(("subscribed", packet_id))
    client._sock = connection = Chunks(chunks)  # type: ignore[assignment]
    try:
        while connection:
            if client._packet_read() > MQTTErrorCode.MQTT_ERR_SUCCESS or client._sock is None:
                return told, False
    except UnicodeDecodeError:  # of a topic, which paho leaves to whoever looks at it
        return told, False
    finally:
        client._sock = None
    return told, True


def through_paho(newest: bool, chunks: Sequence[bytes]) -> Told:
    told: list[Any] = []
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        protocol=paho.MQTTv5 if newest else paho.MQTTv311,
        manual_ack=True,
        reconnect_on_failure=False,
    )
    client.on_message = lambda _client, _data, message: told.append(message_of(message))
    return came_through(client, told, chunks)


def through_ours(newest: bool, chunks: Sequence[bytes]) -> Told:
    told: list[Any] = []
    client = Reading(Connection("mqtt://127.0.0.1", "c", version="5" if newest else "3.1.1"), 10)
    client.on_messages = told.extend
    client.on_pong = lambda: None
    return came_through(client, told, chunks)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=20)
MESSAGES = st.builds(
    lambda topic, payload, qos, retain, duplicate, packet_id, properties: Message(
        topic, payload, qos, retain, duplicate, packet_id if qos else 0, tuple(properties)
    ),
    TEXT.filter(bool),
    st.binary(max_size=300),
    st.sampled_from([0, 1]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 65_535),
    st.lists(st.tuples(TEXT, TEXT), max_size=2),
)
OTHERS = st.sampled_from([b"\xd0\x00", packet(0x40, b"\0\x07"), packet(0x50, b"\0\x07"), packet(0x70, b"\0\x07")])


def cut(stream: bytes, places: Sequence[int]) -> Iterator[bytes]:
    borders = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return (stream[start:end] for start, end in pairwise(borders))


@given(st.booleans(), st.lists(MESSAGES | OTHERS, max_size=12), st.lists(st.integers(0, 10_000), max_size=8))
def test_messages_arrive_as_they_were_sent_however_their_bytes_are_cut(
    newest: bool, sent: list[Message | bytes], places: list[int]
) -> None:
    messages = [one if newest else one._replace(properties=()) for one in sent if isinstance(one, Message)]
    stream = b"".join(one if isinstance(one, bytes) else publish(one, newest) for one in sent)
    chunks = [*cut(stream, places)]

    assert through_ours(newest, chunks) == (messages, True)
    assert through_paho(newest, chunks) == (messages, True)


@given(
    st.booleans(),
    st.lists(MESSAGES, max_size=4),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    st.lists(st.integers(0, 10_000), max_size=4),
)
def test_of_damaged_bytes_we_take_what_paho_takes_up_to_what_is_shorter_than_it_says(
    newest: bool, sent: list[Message], damage: list[tuple[int, int]], places: list[int]
) -> None:
    stream = bytearray(b"".join(publish(one if newest else one._replace(properties=()), newest) for one in sent))
    for place, byte in damage:
        if stream:
            stream[place % len(stream)] = byte
    chunks = [*cut(bytes(stream), places)]

    ours, theirs = through_ours(newest, chunks), through_paho(newest, chunks)
    # Of properties that end before they should, paho takes what there is.
    assert ours == theirs or (not ours[1] and ours[0] == theirs[0][: len(ours[0])])


@pytest.mark.parametrize("properties", [b"\x06&\0\0\0\x01", b"\x06&\0\0\0", b"\x06&\0", b"\x06"])
def test_properties_that_end_before_they_should_are_refused(properties: bytes) -> None:
    [came] = Packets(newest=True).read(packet(0x30, b"\0\x01t" + properties))
    assert isinstance(came, Malformed)
    assert "shorter than it says" in came.reason or "Not enough data" in came.reason


def flat(came: Iterable[Came]) -> Iterator[Message | Packet | Malformed]:
    for one in came:
        yield from one if isinstance(one, list) else [one]


def read(stream: bytes, newest: bool = False) -> list[Message | Packet | Malformed]:
    return [*flat(Packets(newest).read(stream))]


def test_a_large_message_in_many_pieces_is_put_together() -> None:
    large = Message(TOPIC, b"x" * 300_000, 1, False, False, 7)
    stream, packets = publish(large, newest=False), Packets(newest=False)
    pieces = [stream[at : at + 1000] for at in range(0, len(stream), 1000)]

    assert [came for piece in pieces for came in packets.read(piece)] == [[large]]


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\x32\xff\xff\xff\xff\x7f", "more than four bytes"),
        (packet(0x30, b"\0\x09short"), "shorter than it says"),
        (packet(0x30, b"\0\0x"), "no topic"),
        (packet(0x32, b"\0\x01t\0"), "shorter than it says"),
        (packet(0x30, b"\0\x01\xff"), "can't decode"),
    ],
)
def test_what_is_no_mqtt_says_why_and_what_came_before_it_counts(stream: bytes, reason: str) -> None:
    before = Message(TOPIC, b"x", 0, False, False, 0)
    [message, malformed] = read(publish(before, newest=False) + stream)

    assert message == before
    assert isinstance(malformed, Malformed)
    assert reason in malformed.reason


def test_messages_come_together_up_to_a_packet_that_is_none() -> None:
    one, two, three = (Message(TOPIC, payload, 0, False, False, 0) for payload in (b"1", b"2", b"3"))
    stream = b"".join([publish(one, False), publish(two, False), b"\xd0\x00", publish(three, False)])

    assert Packets(newest=False).read(stream) == [[one, two], Packet(0xD0, b""), [three]]


def test_a_message_of_qos_2_is_left_to_paho() -> None:
    stream = publish(Message(TOPIC, b"x", 2, False, False, 7), newest=False)

    assert read(stream) == [Packet(0x34, stream[2:])]


def test_an_answer_for_a_reason_that_mqtt_does_not_know_ends_the_connection() -> None:
    client = Paho(Connection("mqtt://127.0.0.1", "c"), 10)
    client.on_answer = lambda *answer: pytest.fail(f"answered: {answer}")
    client._sock = Chunks([packet(0x40, b"\0\x07\xc2")])  # type: ignore[assignment]
    result = client._packet_read()
    client._sock = None

    assert result == MQTTErrorCode.MQTT_ERR_PROTOCOL
    assert client.complaints.last == "it sent what is no MQTT: there is no reason code 194"


@pytest.mark.parametrize(
    "name", ["_packet_read", "_packet_handle", "_send_pingreq", "_handle_pingresp", "_mid_generate"]
)
def test_what_is_overridden_is_what_paho_calls(name: str) -> None:
    assert callable(getattr(paho.Client, name))
    assert name in vars(Paho)


def test_what_paho_keeps_to_itself_and_we_use_is_there() -> None:
    client: Any = Paho(Connection("mqtt://127.0.0.1", "c"), 10)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client._sock = ours
        theirs.send(b"\xd0\x00")
        assert client._sock_recv(10) == b"\xd0\x00"
        client._sock = None
    assert {"command", "packet", "remaining_length", "pos"} <= {*client._in_packet}
    assert client._last_bytes_received >= 0
    assert client._sockpairW is None
