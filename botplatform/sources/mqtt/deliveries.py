"""How the platform knows an MQTT message that is delivered again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from botplatform.sources.mqtt.message import Message
from botplatform.values import NamedTuple


class Delivery(NamedTuple):
    """What to keep of a message until the broker has its acknowledgement: the `number`th, kept in a `place`.

    One of QoS 0, which never comes again, is kept nowhere.
    """

    number: int
    place: int
    packet_id: int
    digest: str
    event_id: str


NOWHERE: Final = -1


class Standing(NamedTuple):
    """Which of the deliveries kept, up to the one with number `last`, still count: the broker may not know of those."""

    last: int = -1
    open: tuple[int, ...] = ()


class Deliveries:
    """Gives each message its event id, the same one when it is delivered again in the same session.

    MQTT has no message ids. But what was not acknowledged when a connection broke comes again with the same packet id
    and the DUP flag (MQTT 5.0, 4.4), and a packet id is not used for another message before the acknowledgement: so
    the packet id with a digest of topic and payload says which message it was. DUP alone says nothing, since a message
    that was sent and never arrived has it too.

    Deliveries that come together share a place. They are to be kept there, over whatever is there, in the commit that
    handles any of the messages, all of them each time: to know a message that was not handled yet does no harm. The
    standing is to be kept whenever it changes: so nothing has to be deleted. `kept` and `standing` are what an earlier
    process left. `new_id` makes the id of a new message. For one thread.
    """

    def __init__(self, kept: Iterable[Delivery], standing: Standing, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._remembered: dict[int, Delivery] = {}
        self._last = standing.last
        deliveries = sorted(kept)
        self._in_place = Counter(delivery.place for delivery in deliveries)
        self._places = max(self._in_place, default=-1) + 1
        self._free: list[int] = []
        still_open = {*standing.open}
        for delivery in deliveries:
            if delivery.number > standing.last or delivery.number in still_open:
                self._forget(delivery.packet_id)
                self._remembered[delivery.packet_id] = delivery
            else:
                self._leave(delivery.place)
            self._last = max(self._last, delivery.number)

    @property
    def standing(self) -> Standing:
        """What counts now."""
        return Standing(self._last, tuple(delivery.number for delivery in self._remembered.values()))

    def identify(self, messages: Sequence[Message]) -> tuple[int, list[Delivery]]:
        """The delivery of each message that arrives, in their order, and the place of those that are new."""
        place = self._place()
        self._in_place[place] = 1  # so that it stays theirs while they are entered, whatever replaces what
        deliveries = [self._known(message, place) if message.qos else self._nowhere() for message in messages]
        self._leave(place)
        return place, deliveries

    def confirmed(self, packet_ids: Iterable[int]) -> None:
        """Forget messages whose acknowledgement the broker has, before their packet ids serve for others."""
        for packet_id in packet_ids:
            self._forget(packet_id)

    def reset(self) -> None:
        """Forget everything, because the broker has no session.

        What is under way is kept in its place all the same, by and by, so that those places do not serve again.
        """
        self._remembered.clear()

    def _known(self, message: Message, place: int) -> Delivery:
        content = digest(message.topic, message.payload)
        known = self._remembered.get(message.packet_id)
        if known is not None:
            if message.duplicate and known.digest == content:
                return known
            self._leave(known.place)
        self._last += 1
        self._in_place[place] += 1
        new = Delivery._make((self._last, place, message.packet_id, content, self._new_id()))
        self._remembered[message.packet_id] = new
        return new

    def _nowhere(self) -> Delivery:
        return Delivery(NOWHERE, NOWHERE, 0, "", self._new_id())

    def _forget(self, packet_id: int) -> None:
        delivery = self._remembered.pop(packet_id, None)
        if delivery is not None:
            self._leave(delivery.place)

    def _place(self) -> int:
        if self._free:
            return self._free.pop()
        self._places += 1
        return self._places - 1

    def _leave(self, place: int) -> None:
        """Count one less of those that need a place; it serves again when none does."""
        self._in_place[place] -= 1
        if not self._in_place[place]:
            self._free.append(place)


def digest(topic: str, payload: bytes) -> str:
    """The same for messages that say the same."""
    content = topic.encode() + b"\0" + payload  # no topic has a NUL: MQTT 5.0, 4.7.3
    return hashlib.blake2b(content, digest_size=16).hexdigest()
