"""How the platform knows an MQTT message that is delivered again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from botplatform.sources.mqtt.message import Message
from botplatform.values import NamedTuple


class Delivery(NamedTuple):
    """What to keep of a message until the broker has its acknowledgement: the `number`th, kept in a `place`."""

    number: int
    place: int
    packet_id: int
    digest: str
    event_id: str


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

    Each delivery is to be kept in its place, over whatever is there, in the commit that handles the message, and the
    standing whenever it changes: so nothing has to be deleted. `kept` and `standing` are what an earlier process left.
    `new_id` makes the id of a new message. For one thread.
    """

    def __init__(self, kept: Iterable[Delivery], standing: Standing, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._remembered: dict[int, Delivery] = {}
        self._free: list[int] = []
        self._last, self._places = standing.last, 0
        still_open = {*standing.open}
        for delivery in sorted(kept):
            if delivery.number > standing.last or delivery.number in still_open:
                self._remember(delivery)
            else:
                self._free.append(delivery.place)
            self._last = max(self._last, delivery.number)
            self._places = max(self._places, delivery.place + 1)

    @property
    def standing(self) -> Standing:
        """What counts now."""
        return Standing(self._last, tuple(delivery.number for delivery in self._remembered.values()))

    def identify(self, message: Message) -> Delivery:
        """What to keep of a message of QoS 1 or 2: call it for each that arrives, in their order."""
        content = digest(message.topic, message.payload)
        known = self._remembered.get(message.packet_id)
        if known is not None and message.duplicate and known.digest == content:
            return known
        self._last += 1
        place = self._place() if known is None else known.place
        known = Delivery(self._last, place, message.packet_id, content, self._new_id())
        self._remembered[message.packet_id] = known
        return known

    def confirmed(self, packet_ids: Iterable[int]) -> None:
        """Forget messages whose acknowledgement the broker has, before their packet ids serve for others."""
        for packet_id in packet_ids:
            delivery = self._remembered.pop(packet_id, None)
            if delivery is not None:
                self._free.append(delivery.place)

    def reset(self) -> None:
        """Forget everything, because the broker has no session.

        What is under way is kept in its place all the same, by and by, so that those places do not serve again.
        """
        self._remembered.clear()

    def _remember(self, delivery: Delivery) -> None:
        replaced = self._remembered.get(delivery.packet_id)
        if replaced is not None:
            self._free.append(replaced.place)
        self._remembered[delivery.packet_id] = delivery

    def _place(self) -> int:
        if self._free:
            return self._free.pop()
        self._places += 1
        return self._places - 1


def digest(topic: str, payload: bytes) -> str:
    """The same for messages that say the same."""
    content = topic.encode() + b"\0" + payload  # no topic has a NUL: MQTT 5.0, 4.7.3
    return hashlib.blake2b(content, digest_size=16).hexdigest()
