"""The QoS 2 exchanges with a broker, remembered where the next process finds them: what makes a message go out once."""

from __future__ import annotations

import threading
from typing import Any, Final, Literal

from botplatform import codec
from botplatform.errors import Retry
from botplatform.hosts.intake import Notes
from botplatform.store import StateKey, Write
from botplatform.values import NamedTuple

# The packet ids from here to 65,535 are for exchanges: what the broker knows one by must not name anything else.
FIRST_ID: Final = 61_440
_IDS: Final = 65_536 - FIRST_ID

Stage = Literal["begun", "received", "complete"]
"""How far it came: the broker may have the message; it has it (PUBREC); it has handed it on (PUBCOMP)."""


class Exchange(NamedTuple):
    """One message on its way to the broker: the `number`th, known by `key`, in a session that had so many before it."""

    number: int
    key: str
    stage: Stage
    session: int

    @property
    def packet_id(self) -> int:
        """The one that names it for as long as it is under way, on every connection of the session."""
        return FIRST_ID + self.number % _IDS


class Exchanges:
    """What the broker and we know of each other's part in delivering messages exactly once (MQTT 5.0, 4.3.3 and 4.4).

    Each step is durable before the next packet is sent. A complete exchange is remembered for thousands of messages
    more, so that its effect, should it not be marked yet, is known to be performed. Those that were under way in a
    session that the broker has lost count for nothing. Without `notes`, all ends with this process. Safe to use from
    any thread; methods may raise StateUnavailable.
    """

    def __init__(self, notes: Notes | None, client_id: str) -> None:
        self._notes = notes
        self._place = f"@mqtt.exchanges {client_id}"
        self._lock = threading.Lock()
        self._by_key: dict[str, Exchange] = {}
        self._by_id: dict[int, Exchange] = {}
        self._session = 0
        self._next = 0
        if notes is not None:
            self._remember({name: codec.decode(value.json or b"") for name, value in notes.scan(self._place, "")})

    def begin(self, key: str) -> tuple[Exchange, bool]:
        """The exchange of the message with this key, durable, and whether it had begun before.

        Raises Retry while all packet ids are taken.
        """
        with self._lock:
            known = self._by_key.get(key)
            again = known is not None and self._holds(known)
            exchange = known if known and again else self._new(key)
        if exchange.stage == "begun":  # whether it was written before is not known
            self._write(exchange)
        return exchange, again

    def reach(self, stage: Stage, exchange: Exchange) -> Exchange:
        """The exchange at its next stage, durable; raises Retry when it ended with its session."""
        reached = exchange._replace(stage=stage)
        self._write(reached)
        with self._lock:
            if not self._holds(reached):
                raise Retry("the broker has lost its session")
            self._keep(reached)
        return reached

    def end(self, exchange: Exchange) -> None:
        """Forget an exchange that the broker has refused."""
        with self._lock:
            self._forget(exchange.packet_id)
        self._store(str(exchange.packet_id), Write("delete"))

    def session_lost(self) -> None:
        """Note that the broker has begun a new session, which knows of nothing that was under way."""
        with self._lock:
            self._session += 1
            session = self._session
        self._store("session", Write("put", codec.encode(session)))

    def _remember(self, noted: dict[str, Any]) -> None:
        session = noted.pop("session", 0)
        for exchange in sorted(Exchange(*fields) for fields in noted.values()):
            self._keep(exchange)
            session = max(session, exchange.session)
            self._next = exchange.number + 1
        self._session = session

    def _new(self, key: str) -> Exchange:
        for number in range(self._next, self._next + _IDS):
            exchange = Exchange(number, key, "begun", self._session)
            if not self._is_taken(exchange.packet_id):
                self._forget(exchange.packet_id)
                self._keep(exchange)
                self._next = number + 1
                return exchange
        raise Retry(f"the broker has not answered {_IDS} messages of QoS 2")

    def _is_taken(self, packet_id: int) -> bool:
        before = self._by_id.get(packet_id)
        return before is not None and before.stage != "complete" and self._holds(before)

    def _holds(self, exchange: Exchange) -> bool:
        return exchange.stage == "complete" or exchange.session == self._session

    def _keep(self, exchange: Exchange) -> None:
        self._by_key[exchange.key] = self._by_id[exchange.packet_id] = exchange

    def _forget(self, packet_id: int) -> None:
        gone = self._by_id.pop(packet_id, None)
        if gone is not None and self._by_key.get(gone.key) == gone:
            del self._by_key[gone.key]

    def _write(self, exchange: Exchange) -> None:
        self._store(str(exchange.packet_id), Write("put", codec.encode(list(exchange))))

    def _store(self, name: str, write: Write) -> None:
        if self._notes is not None:
            self._notes.write({StateKey(self._place, name): write})
