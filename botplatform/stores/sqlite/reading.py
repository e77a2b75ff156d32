"""What the file of a store tells whoever asks: a store itself, and tools that only look."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from botplatform import codec
from botplatform.errors import StateUnavailable
from botplatform.source import EffectRequest
from botplatform.store import Outcome, PendingEffect, StateKey, Value, Work, effect_key
from botplatform.stores.sqlite.advice import unavailable
from botplatform.stores.sqlite.changes import READ
from botplatform.stores.sqlite.copying import open_read_only
from botplatform.stores.sqlite.history import StateAsOf, as_of
from botplatform.stores.sqlite.inbox import Inbox
from botplatform.stores.sqlite.log import NUMBER, Log
from botplatform.stores.sqlite.schema import MIGRATIONS
from botplatform.stores.sqlite.writer import ReadOnly

Query = Callable[[str, tuple[Any, ...]], list[Any]]


class Reading:
    """Markers, state and effects, the `inbox` and the `log`: `query(sql, parameters)` gives the rows they are in.

    `look_up` does the same for what takes no time, if there is a better way to. Every method may raise
    StateUnavailable.
    """

    def __init__(
        self, query: Query, clock: Callable[[], float], log: Log, inbox: Inbox, look_up: Query | None = None
    ) -> None:
        self._query = query
        self._look_up = look_up or query
        self._clock = clock
        self.log = log
        self.inbox = inbox

    def outcome(self, work: Work) -> Outcome | None:
        """The outcome of work that is done, else None."""
        rows = self._look_up(OUTCOME, work)
        return to_outcome(rows[0]) if rows else None

    def read(self, key: StateKey) -> Value:
        """One value and its version; an expired one is not there."""
        rows = self._look_up(READ, (*key, self._clock()))
        return Value(*rows[0]) if rows else Value(None)

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        """The values of a plugin whose keys begin with `prefix`, in order of their keys."""
        # The highest code point ends the range of all texts that begin with the prefix.
        for key, value, version in self._query(_SCAN, (plugin, prefix, prefix + "\U0010ffff", self._clock())):
            yield key, Value(value, version)

    def pending(self) -> list[PendingEffect]:
        """The effects committed and not yet performed or given up, oldest first."""
        return [to_pending(row) for row in self._query(f"{PENDING} ORDER BY number", ())]

    def as_of(self, source: str, id: str, handler: str = "") -> StateAsOf:
        """The state just before an event was handled, by `handler` or by the first that did; else when it arrived.

        Raises StateUnavailable for an event that is not in the log, or whose changes are forgotten.
        """
        return as_of(self._query, source, id, handler)


@contextmanager
def reading(path: Path, clock: Callable[[], float] = time.time) -> Iterator[Reading]:
    """The file of a store that another process may be writing; raises StateUnavailable for what would change it."""

    def query(sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        try:
            return connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise unavailable(error) from error

    try:
        connection = open_read_only(path)
    except sqlite3.Error as error:
        raise unavailable(error) from error
    with closing(connection):
        if query("PRAGMA user_version", ())[0][0] != len(MIGRATIONS):
            raise StateUnavailable(f"{path} is of another version: start the platform once, which brings it up to date")
        log = Log(ReadOnly(), query, clock)
        yield Reading(query, clock, log, Inbox(ReadOnly(), query, clock, log, lambda *_: None))


OUTCOME = f"SELECT reply, attempts, took, suppressed FROM outcomes WHERE number = ({NUMBER}) AND handler = ?"
# The order of the joins is SQLite's as written: it would rather go through all outcomes than look so many up.
OUTCOMES = """SELECT e.id, reply, attempts, took, suppressed
    FROM json_each(?) AS wanted CROSS JOIN events AS e ON (e.source, e.id) = (?, wanted.value)
    CROSS JOIN outcomes AS o ON (number, o.handler) = (seq, ?)"""
"""Those of events with some ids, a JSON array, of one source and in one handler."""
PENDING = """SELECT number, source, id, handler, position, name, arguments, ordering, attempts
    FROM effects WHERE status = 'pending'"""
_SCAN = """SELECT key, value, version FROM state WHERE plugin = ? AND key >= ? AND key < ?
    AND (expires IS NULL OR expires > ?) ORDER BY key"""


def to_outcome(row: Any) -> Outcome:
    """An outcome that was there before, from a row of OUTCOME."""
    reply, attempts, took, suppressed = row
    decoded = None if reply is None else codec.decode(reply)
    return Outcome(decoded, attempts, took, tuple(codec.decode(suppressed)) if suppressed else (), duplicate=True)


def to_row(outcome: Outcome) -> tuple[bytes | None, int, float, bytes | None]:
    """What OUTCOME gives for an outcome."""
    reply, attempts, took, suppressed, _ = outcome
    encoded = None if reply is None else codec.encode(reply)
    return encoded, attempts, took, codec.encode(suppressed) if suppressed else None


def to_pending(row: Any) -> PendingEffect:
    """An effect, from a row of PENDING."""
    number, source, id_, handler, position, name, arguments, order, attempts = row
    work = Work(source, id_, handler)
    request = EffectRequest(name, codec.decode(arguments), order)
    return PendingEffect(number, work, request, effect_key(work, position), attempts)
