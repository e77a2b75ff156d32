"""How the platform knows an MQTT message that is delivered again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping

from botplatform.sources.mqtt.message import Message
from botplatform.values import NamedTuple


class Delivery(NamedTuple):
    """What to keep of a message until the broker has its acknowledgement."""

    packet_id: int
    digest: str
    event_id: str


class Deliveries:
    """Gives each message its event id, the same one when it is delivered again in the same session.

    MQTT has no message ids. But what was not acknowledged when a connection broke comes again with the same packet id
    and the DUP flag (MQTT 5.0, 4.4), and a packet id is not used for another message before the acknowledgement: so
    the packet id with a digest of topic and payload says which message it was. DUP alone says nothing, since a message
    that was sent and never arrived has it too.

    `remembered` is what an earlier process stored of `record`: packet id to digest and event id. `new_id` makes the id
    of a new message. Safe to use from any thread.
    """

    def __init__(self, remembered: Mapping[int, tuple[str, str]], new_id: Callable[[], str]) -> None:
        self._remembered = {id: Delivery(id, *rest) for id, rest in remembered.items()}
        self._new_id = new_id
        self._lock = threading.Lock()

    def identify(self, message: Message) -> str:
        """The event id of a message: call it once for each message that arrives, in their order."""
        if message.qos == 0:
            return self._new_id()
        content = digest(message.topic, message.payload)
        with self._lock:
            known = self._remembered.get(message.packet_id)
            if known is None or not message.duplicate or known.digest != content:
                known = self._remembered[message.packet_id] = Delivery(message.packet_id, content, self._new_id())
            return known.event_id

    def record(self, message: Message) -> Delivery | None:
        """What to store in the commit that handles an identified message, in place of what its packet id had.

        None if there is nothing to store: with QoS 0, and when its session is gone.
        """
        with self._lock:
            known = self._remembered.get(message.packet_id)
        return known if known is not None and known.digest == digest(message.topic, message.payload) else None

    def confirmed(self, packet_ids: Iterable[int]) -> list[int]:
        """Forget messages whose acknowledgement the broker has, before their packet ids serve for others.

        Returns those whose stored records are to be deleted, by whoever stores the records that follow.
        """
        with self._lock:
            return [id for id in packet_ids if self._remembered.pop(id, None)]

    def reset(self) -> list[int]:
        """Forget everything, because the broker has no session: returns the packet ids to delete."""
        with self._lock:
            forgotten = list(self._remembered)
            self._remembered.clear()
            return forgotten


def digest(topic: str, payload: bytes) -> str:
    """The same for messages that say the same."""
    content = topic.encode() + b"\0" + payload  # no topic has a NUL: MQTT 5.0, 4.7.3
    return hashlib.blake2b(content, digest_size=16).hexdigest()
