"""What is kept in the state of messages that came in, so that the next process knows those that come again."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator, Mapping

from botplatform import codec
from botplatform.hosts.intake import NOTHING, Notes
from botplatform.sources.mqtt.deliveries import Deliveries, Delivery, Standing
from botplatform.sources.mqtt.message import Message
from botplatform.store import StateKey, Write


class Ledger:
    """The deliveries of one session, which is known by its client id: a row for each, over one that counts no more.

    May raise StateUnavailable when it is opened, and not after that. For one thread.
    """

    def __init__(self, notes: Notes, client_id: str) -> None:
        self._notes = notes
        self._rows = f"@mqtt.deliveries {client_id}"
        self._standing = StateKey("@mqtt", f"deliveries {client_id}")
        self._ids = _ids()
        kept = [Delivery(*codec.decode(value.json or b"")) for _, value in notes.scan(self._rows, "")]
        stored = notes.read(self._standing).json
        standing = Standing(*codec.decode(stored)) if stored else Standing()
        self._deliveries = Deliveries(kept, standing, self._ids.__next__)

    def enter(self, message: Message) -> tuple[str, Mapping[StateKey, Write]]:
        """The event id of a message, and what to write in the commit that handles it; once for each that arrives."""
        if message.qos == 0:  # which is never delivered again
            return next(self._ids), NOTHING
        delivery = self._deliveries.identify(message)
        return delivery.event_id, {StateKey(self._rows, str(delivery.place)): Write("put", codec.encode(delivery))}

    def confirmed(self, packet_ids: Iterable[int]) -> None:
        """Forget messages whose acknowledgement the broker has."""
        self._deliveries.confirmed(packet_ids)
        self._keep_standing()

    def session_lost(self) -> None:
        """Forget everything, because the broker has no session."""
        self._deliveries.reset()
        self._keep_standing()

    def _keep_standing(self) -> None:
        self._notes.write({self._standing: Write("put", codec.encode(self._deliveries.standing))}, wait=False)


def _ids() -> Iterator[str]:
    """Ids that no other process makes."""
    prefix = secrets.token_hex(8)
    return (f"{prefix}-{number}" for number in itertools.count(1))
