"""The store contract on SQLite: what a unit of work asked for becomes rows, all in one transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from botplatform import codec
from botplatform.errors import Conflict, StateUnavailable
from botplatform.event import Event
from botplatform.source import EffectRequest
from botplatform.state import applied
from botplatform.store import (
    Abandoned,
    Commit,
    Committed,
    Outcome,
    PendingEffect,
    StateKey,
    Value,
    Work,
    Write,
    effect_key,
)
from botplatform.stores.sqlite.inbox import Inbox
from botplatform.stores.sqlite.log import Log
from botplatform.stores.sqlite.schema import migrate
from botplatform.stores.sqlite.writer import Writer, unavailable


class SqliteStore:
    """The Store, with the inbox and the log of the local host, in one file.

    `path` is the file, made when missing; `clock` gives the Unix time in seconds; `mask(event)` is the envelope as
    the log may keep it, without secrets. Raises StateUnavailable when it cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        mask: Callable[[Event], bytes] = Event.to_json,
        synchronous: str = "FULL",
    ) -> None:
        self._path = path
        self._synchronous = synchronous
        self._clock = clock
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._version = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection:
                migrate(connection, str(path))
        except sqlite3.Error as error:
            raise unavailable(error) from error
        except OSError as error:
            raise StateUnavailable(f"the state folder {path.parent} cannot be used: {error.strerror}") from error
        self._writer = Writer(self._connect)
        self.log = Log(self._writer, self._query, clock, mask)
        self.inbox = Inbox(self._writer, self._query, clock, self.log, self._write)

    def outcome(self, work: Work) -> Outcome | None:
        rows = self._query(_OUTCOME, work)
        return _outcome(rows[0]) if rows else None

    def read(self, key: StateKey) -> Value:
        rows = self._query(_READ, (*key, self._clock()))
        return Value(*rows[0]) if rows else Value(None)

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        # The highest code point ends the range of all texts that begin with the prefix.
        for key, value, version in self._query(_SCAN, (plugin, prefix, prefix + "\U0010ffff", self._clock())):
            yield key, Value(value, version)

    def commit(self, commit: Commit) -> Committed:
        return self._writer.apply(lambda connection: self._commit(connection, commit))

    def pending(self) -> list[PendingEffect]:
        return [_pending(row) for row in self._query(f"{_PENDING} ORDER BY number", ())]

    def performed(self, effect: PendingEffect, result: Mapping[str, Any]) -> None:
        self._settle(effect, "performed", codec.encode(result))

    def postponed(self, effect: PendingEffect, reason: str, given_up: bool) -> None:
        self._settle(effect, "given up" if given_up else "pending", codec.encode({"reason": reason}))

    def write(self, writes: Mapping[StateKey, Write], wait: bool = True) -> None:
        """Change state outside any unit: for what a host has to remember of its own."""
        written = self._writer.submit(lambda connection: self._write(connection, writes))
        if wait:
            written.result()

    def prune(self, age: float) -> int:
        """Forget log entries, markers and performed effects older than `age` seconds; returns how many events.

        A marker stays as long as any of its effects: without it, the event would be handled again.
        """
        return self._writer.apply(lambda connection: _prune(connection, self._clock(), age))

    def close(self) -> None:
        self._writer.close()
        for reader in self._readers:
            reader.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _query(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """Read on a connection of this thread's own; raises StateUnavailable."""
        try:
            reader = getattr(self._local, "reader", None)
            if reader is None:
                reader = self._local.reader = self._connect()
                self._readers.append(reader)
            return reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise unavailable(error) from error

    def _commit(self, connection: sqlite3.Connection, commit: Commit) -> Committed:
        work, run = commit.work, commit.run
        row = connection.execute(_OUTCOME, work).fetchone()
        if row is None:
            if run and run.abandoned:
                raise Abandoned(f"{work.handler} was given up before it committed")
            self._check(connection, commit.reads)
            self._write(connection, commit.writes)
            effects = [*commit.effects]
            if run and run.answered and commit.follow_up:
                effects.append(commit.follow_up)
            self._request(connection, work, effects)
            self._mark(connection, work, commit.outcome)
        elif run and run.answered and commit.follow_up and commit.outcome.duplicate:
            self._follow_up(connection, work, commit.follow_up)
        self.log.record_in(connection, commit.event, "accepted")
        # Not only what this run took from there: a dead letter whose event is delivered once more may succeed.
        connection.execute("DELETE FROM inbox WHERE (source, id, handler) = (?, ?, ?)", work)
        left = connection.execute(f"{_PENDING} AND (source, id, handler) = (?, ?, ?) ORDER BY number", work)
        return Committed(_outcome(row) if row else commit.outcome, [_pending(effect) for effect in left])

    def _check(self, connection: sqlite3.Connection, reads: Mapping[StateKey, int]) -> None:
        now = self._clock()
        for key, version in reads.items():
            row = connection.execute(_READ, (*key, now)).fetchone()
            if (row[1] if row else 0) != version:
                raise Conflict(f"{key.key!r} changed")

    def _write(self, connection: sqlite3.Connection, writes: Mapping[StateKey, Write]) -> None:
        if not writes:
            return
        now = self._clock()
        self._version = max(self._version + 1, time.time_ns())
        for key, write in writes.items():
            if write.kind == "delete":
                connection.execute("DELETE FROM state WHERE (plugin, key) = (?, ?)", key)
                continue
            row = None if write.kind == "put" else connection.execute(_READ, (*key, now)).fetchone()
            if row is None:
                connection.execute(_PUT, (*key, applied(None, write), self._version, write.expires))
            elif write.kind != "create":
                connection.execute(_CHANGE, (applied(row[0], write), self._version, *key))

    def _request(
        self, connection: sqlite3.Connection, work: Work, effects: list[EffectRequest], first: int = 0
    ) -> None:
        now = self._clock()
        connection.executemany(
            _REQUEST,
            [
                (*work, position, effect.name, codec.encode(effect.arguments), effect.order, now)
                for position, effect in enumerate(effects, first)
            ],
        )

    def _follow_up(self, connection: sqlite3.Connection, work: Work, follow_up: EffectRequest) -> None:
        """Ask for the reply of a run whose sender was not told it, unless that was done before."""
        asked = connection.execute(_REQUESTED, work).fetchall()
        if (follow_up.name, codec.encode(follow_up.arguments)) not in asked:
            self._request(connection, work, [follow_up], len(asked))

    def _mark(self, connection: sqlite3.Connection, work: Work, outcome: Outcome) -> None:
        reply = codec.encode(outcome.reply) if outcome.reply is not None else None
        suppressed = codec.encode(outcome.suppressed) if outcome.suppressed else None
        row = (*work, self._clock(), outcome.took, outcome.attempts, reply, suppressed)
        connection.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _settle(self, effect: PendingEffect, status: str, result: bytes) -> None:
        row = (status, self._clock(), result, effect.number)
        self._writer.apply(lambda connection: connection.execute(_SETTLE, row).rowcount)


_OUTCOME = "SELECT reply, attempts, took, suppressed FROM outcomes WHERE (source, id, handler) = (?, ?, ?)"
_READ = "SELECT value, version FROM state WHERE (plugin, key) = (?, ?) AND (expires IS NULL OR expires > ?)"
_SCAN = """SELECT key, value, version FROM state WHERE plugin = ? AND key >= ? AND key < ?
    AND (expires IS NULL OR expires > ?) ORDER BY key"""
_PUT = "INSERT OR REPLACE INTO state (plugin, key, value, version, expires) VALUES (?, ?, ?, ?, ?)"
_CHANGE = "UPDATE state SET value = ?, version = ? WHERE (plugin, key) = (?, ?)"
_PENDING = """SELECT number, source, id, handler, position, name, arguments, ordering, attempts
    FROM effects WHERE status = 'pending'"""
_REQUEST = """INSERT INTO effects (source, id, handler, position, name, arguments, ordering, status, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?)"""
_REQUESTED = "SELECT name, arguments FROM effects WHERE (source, id, handler) = (?, ?, ?)"
_EFFECTS_OF = """SELECT 1 FROM effects
    WHERE (effects.source, effects.id, effects.handler) = (outcomes.source, outcomes.id, outcomes.handler)"""
_SETTLE = """UPDATE effects SET status = ?, changed = ?, result = ?, attempts = attempts + 1
    WHERE number = ? AND status = 'pending'"""


def _outcome(row: Any) -> Outcome:
    reply, attempts, took, suppressed = row
    return Outcome(
        reply=codec.decode(reply) if reply is not None else None,
        attempts=attempts,
        took=took,
        suppressed=tuple(codec.decode(suppressed)) if suppressed else (),
        duplicate=True,
    )


def _pending(row: Any) -> PendingEffect:
    number, source, id_, handler, position, name, arguments, order, attempts = row
    work = Work(source, id_, handler)
    request = EffectRequest(name, codec.decode(arguments), order)
    return PendingEffect(number, work, request, effect_key(work, position), attempts)


def _prune(connection: sqlite3.Connection, now: float, age: float) -> int:
    before = now - age
    connection.execute("DELETE FROM state WHERE expires < ?", (now,))
    connection.execute("DELETE FROM effects WHERE changed < ? AND status = 'performed'", (before,))
    connection.execute(f"DELETE FROM outcomes WHERE finished < ? AND NOT EXISTS ({_EFFECTS_OF})", (before,))
    return connection.execute("DELETE FROM events WHERE received < ?", (before,)).rowcount
