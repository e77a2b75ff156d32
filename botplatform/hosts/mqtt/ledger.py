"""What is kept in the state of messages that came in, so that the next process knows those that come again."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from botplatform import codec
from botplatform.hosts.intake import Notes
from botplatform.sources.mqtt.deliveries import Deliveries, Delivery, Standing
from botplatform.sources.mqtt.message import Message
from botplatform.store import NOTHING, StateKey, Write

TOGETHER: Final = 32
Entry = tuple[str, Mapping[StateKey, Write]]
"""The event id of a message, and what to write in the commit that handles it."""


class Ledger:
    """The deliveries of one session, known by its client id: a row for each few that came together.

    A row is written over one of which none counts any more. `together` is how many deliveries share one: it is part of
    the commit of each of their messages, which is as good as free where commits come in groups.
    May raise StateUnavailable when it is opened, and not after that. For one thread.
    """

    def __init__(self, notes: Notes, client_id: str, together: int = TOGETHER) -> None:
        self._notes = notes
        self._together = together
        self._name = f"@mqtt.deliveries {client_id}"
        self._standing = StateKey("@mqtt", f"deliveries {client_id}")
        self._rows: dict[int, Mapping[StateKey, Write]] = {}
        kept = [delivery for _, value in notes.scan(self._name, "") for delivery in _deliveries(value.json or b"[]")]
        stored = notes.read(self._standing).json
        standing = Standing(*codec.decode(stored)) if stored else Standing()
        self._deliveries = Deliveries(kept, standing, _ids().__next__)

    def enter(self, messages: Sequence[Message]) -> list[Entry]:
        """The event id of each message, and what to write in the commit that handles it; once for each that arrives."""
        starts = range(0, len(messages), self._together)
        return [entry for start in starts for entry in self._enter(messages[start : start + self._together])]

    def _enter(self, messages: Sequence[Message]) -> list[Entry]:
        place, deliveries = self._deliveries.identify(messages)
        new = codec.encode([delivery for delivery in deliveries if delivery.place == place])
        rows = self._rows
        rows[place] = {StateKey(self._name, str(place)): Write("put", new)}
        return [(delivery.event_id, rows.get(delivery.place, NOTHING)) for delivery in deliveries]

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


def _deliveries(json: bytes) -> list[Delivery]:
    """Those in a row; once, each had a row of its own."""
    row = codec.decode(json)
    return [Delivery(*fields) for fields in (row if row and isinstance(row[0], list) else [row])]


def _ids() -> Iterator[str]:
    """Ids that no other process makes."""
    prefix = secrets.token_hex(8)
    return (f"{prefix}-{number}" for number in itertools.count(1))
