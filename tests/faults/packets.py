"""MQTT packets on their way through a proxy: told apart, and cut, doubled or mixed up."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.faults.proxy import Cut, Edit

# MQTT 3.1.1, 2.2: the type of a packet is in the upper half of its first byte.
PUBLISH = 3
PUBACK = 4
_DUPLICATE = 0x08


class Packets:
    """Puts the bytes of one direction of a connection together to whole packets."""

    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, content: bytes) -> list[bytes]:
        """The packets that are complete by now."""
        self._rest += content
        return list(self._complete())

    def _complete(self) -> Iterator[bytes]:
        while (length := _length(self._rest)) is not None and length <= len(self._rest):
            packet, self._rest = self._rest[:length], self._rest[length:]
            yield packet


def kind(packet: bytes) -> int:
    """The type of a packet."""
    return packet[0] >> 4


def topic(packet: bytes) -> bytes:
    """The topic of a PUBLISH."""
    start = 1 + _length_bytes(packet)
    return packet[start + 2 : start + 2 + int.from_bytes(packet[start : start + 2])]


def cut_before_puback(number: int) -> Edit:
    """Reset the connection instead of sending on so manieth a PUBACK: what it is for has to be delivered again."""
    packets, seen = Packets(), 0

    def edit(content: bytes) -> bytes:
        nonlocal seen
        whole = packets(content)
        seen += sum(kind(packet) == PUBACK for packet in whole)
        if seen >= number:
            raise Cut
        return b"".join(whole)

    return edit


def doubled() -> Edit:
    """Each PUBLISH comes twice, the second time with its DUP flag."""
    return _edited(lambda packets: [again for packet in packets for again in _twice(packet)])


def mixed_up() -> Edit:
    """What is on its way at a time comes in any order of its topics; those of one topic keep theirs."""
    return _edited(_mixed)


def _edited(change: Callable[[list[bytes]], list[bytes]]) -> Edit:
    packets = Packets()
    return lambda content: b"".join(change(packets(content)))


def _twice(packet: bytes) -> list[bytes]:
    with_qos = kind(packet) == PUBLISH and packet[0] & 0x06
    return [packet, bytes([packet[0] | _DUPLICATE]) + packet[1:]] if with_qos else [packet]


def _mixed(packets: list[bytes]) -> list[bytes]:
    messages = [packet for packet in packets if kind(packet) == PUBLISH]
    others = [packet for packet in packets if kind(packet) != PUBLISH]
    topics = sorted({topic(message) for message in messages}, key=lambda _: random.random())
    return others + [message for name in topics for message in messages if topic(message) == name]


def _length(content: bytes) -> int | None:
    """How long the packet is that begins here, as far as one can tell yet."""
    size = _length_bytes(content)
    if not size:
        return None
    return 1 + size + sum((content[1 + n] & 0x7F) << (7 * n) for n in range(size))


def _length_bytes(content: bytes) -> int:
    """How many bytes say how long the packet is, 0 when not all of them are there."""
    return next((n for n in range(1, min(5, len(content))) if content[n] < 0x80), 0)
