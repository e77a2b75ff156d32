"""MQTT packets in what a connection brings: cut out of the stream, and messages read."""

from __future__ import annotations

import struct
from typing import Any

from paho.mqtt import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from botplatform.sources.mqtt.message import Message
from botplatform.values import NamedTuple

_PUBLISH = 0x30
_QOS_2 = 0x04  # the upper bit of the QoS


class Packet(NamedTuple):
    """A packet that is no message: its first byte (the type and its flags), and what follows its length."""

    first: int
    content: bytes


class Malformed(NamedTuple):
    """What is no MQTT, so that nothing after it can be read."""

    reason: str


Came = list[Message] | Packet | Malformed
"""Messages that come one after the other come together."""


class Packets:
    """Puts the bytes of one connection together to whole packets; `newest` says that it speaks MQTT 5.

    Messages of QoS 2 are left as packets: there is more to their delivery than to read them.
    """

    def __init__(self, newest: bool) -> None:
        self._newest = newest
        self._rest = bytearray()
        self._wanted = 0

    def read(self, content: bytes) -> list[Came]:
        """What is complete by now, in its order."""
        self._rest += content
        if len(self._rest) < self._wanted:
            return []
        stream, self._rest = bytes(self._rest), bytearray()
        came: list[Came] = []
        try:
            self._cut(stream, came)
        except (IndexError, struct.error):
            came.append(Malformed("a packet is shorter than it says"))
        except (KeyError, ValueError, MQTTException) as error:  # of properties, and of what is no text
            came.append(Malformed(str(error)))
        return came

    def _cut(self, stream: bytes, came: list[Came]) -> None:
        """Put what is complete into `came`, and keep the rest."""
        messages: list[Message] = []
        at, newest = 0, self._newest
        start, end = _content(stream, 0)
        while start and end <= len(stream):
            first = stream[at]
            if first & 0xF0 != _PUBLISH or first & _QOS_2:
                messages = []
                came.append(Packet(first, stream[start:end]))
            else:
                message = _message(stream, first, start, end, newest)
                if not messages:
                    came.append(messages)
                messages.append(message)
            at = end
            start, end = _content(stream, at)
        self._rest += stream[at:]
        self._wanted = end - at


def _content(stream: bytes, at: int) -> tuple[int, int]:
    """Where the content of a packet begins and ends (MQTT 5.0, 2.1.4); 0 and the next byte while that is not known."""
    digits = stream[at + 1 : at + 5]
    if digits and digits[0] < 0x80:  # which most are
        return at + 2, at + 2 + digits[0]
    length = 0
    for place, byte in enumerate(digits):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            start = at + 2 + place
            return start, start + length
    if len(digits) == 4:
        raise ValueError("the length of a packet has more than four bytes")
    return 0, len(stream) + 1


def _message(stream: bytes, first: int, start: int, end: int, newest: bool) -> Message:
    """The message in a PUBLISH packet (MQTT 5.0, 3.3) of QoS 0 or 1."""
    qos = first >> 1 & 1
    at = start + 2 + (stream[start] << 8 | stream[start + 1])
    topic = stream[start + 2 : at].decode()
    packet_id = 0
    if qos:
        packet_id = stream[at] << 8 | stream[at + 1]
        at += 2
    properties: tuple[tuple[str, str], ...] = ()
    if newest:
        size, properties = (1, ()) if stream[at] == 0 else _properties(stream[at:end])
        at += size
    if at > end or not (topic or newest):
        raise ValueError("a packet is shorter than it says, or a message has no topic")
    return Message._make((topic, stream[at:end], qos, first & 1 == 1, first & 8 == 8, packet_id, properties))


def _properties(content: bytes) -> tuple[int, tuple[tuple[str, str], ...]]:
    """How many bytes the properties take, and those that are the user's."""
    properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    size = properties.unpack(content)[1]
    return size, tuple(map(tuple, getattr(properties, "UserProperty", ())))
