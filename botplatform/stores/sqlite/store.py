"""The store contract on SQLite: what a unit of work asked for becomes rows, all in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from botplatform import codec
from botplatform.errors import StateUnavailable
from botplatform.event import Event
from botplatform.source import EffectRequest
from botplatform.store import Abandoned, Commit, Committed, Outcome, PendingEffect, StateKey, Work, Write
from botplatform.stores.sqlite.changes import Values
from botplatform.stores.sqlite.copying import copy
from botplatform.stores.sqlite.inbox import Inbox
from botplatform.stores.sqlite.log import Log
from botplatform.stores.sqlite.pruning import Pruning
from botplatform.stores.sqlite.readers import Readers
from botplatform.stores.sqlite.reading import OUTCOME, PENDING, Reading, to_outcome, to_pending
from botplatform.stores.sqlite.schema import migrate
from botplatform.stores.sqlite.writer import Writer, unavailable


class SqliteStore(Reading):
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
        self.path = path
        self._synchronous = synchronous
        self._readers = Readers(self._connect)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection:
                migrate(connection, path, clock())
                (version,) = connection.execute("SELECT max(number) FROM changes").fetchone()
        except sqlite3.Error as error:
            raise unavailable(error) from error
        except OSError as error:
            raise StateUnavailable(f"the state folder {path.parent} cannot be used: {error.strerror}") from error
        self._writer = Writer(self._connect)
        self._values = Values(clock, version)
        log = Log(self._writer, self._query, clock, mask)
        super().__init__(self._query, clock, log, Inbox(self._writer, self._query, clock, log, self._values.write))

    def commit(self, commit: Commit) -> Committed:
        return self._writer.apply(lambda connection: self._commit(connection, commit))

    def performed(self, effect: PendingEffect, result: Mapping[str, Any]) -> None:
        self._settle(effect, "performed", codec.encode(result))

    def postponed(self, effect: PendingEffect, reason: str, given_up: bool) -> None:
        self._settle(effect, "given up" if given_up else "pending", codec.encode({"reason": reason}))

    def write(self, writes: Mapping[StateKey, Write], wait: bool = True) -> None:
        """Change state outside any unit: for what a host has to remember of its own."""
        written = self._writer.submit(lambda connection: self._values.write(connection, writes))
        if wait:
            written.result()

    def prune(self, age: float, limit: int = 1_000_000) -> int:
        """Forget log entries, markers and performed effects older than `age` seconds; returns how many events.

        Of younger events the oldest beyond `limit` are forgotten; their markers stay for 25 hours. A marker stays as
        long as any of its effects: without it, the event would be handled again.
        """
        return Pruning(self._writer, self._query, self._clock()).prune(age, limit)

    def backup(self, path: Path) -> None:
        """Copy all there is into a new file, while everything goes on; raises StateUnavailable when it cannot be."""
        copy(self.path, path)

    @property
    def damage(self) -> str:
        """What is wrong with the file, empty as long as nothing is known; then nothing is written any more."""
        return self._writer.damage

    def close(self) -> None:
        self._writer.close()
        self._readers.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _query(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """Read what is committed; raises StateUnavailable."""
        try:
            return self._readers.query(sql, parameters)
        except sqlite3.Error as error:
            self._writer.notice(error)
            raise unavailable(error) from error

    def _commit(self, connection: sqlite3.Connection, commit: Commit) -> Committed:
        work, run = commit.work, commit.run
        row = connection.execute(OUTCOME, work).fetchone()
        version, changes = self._values.version, []
        if row is None:
            if run and run.abandoned:
                raise Abandoned(f"{work.handler} was given up before it committed")
            self._values.check(connection, commit.reads)
            changes = self._values.write(connection, commit.writes)
            effects = [*commit.effects]
            if run and run.answered and commit.follow_up:
                effects.append(commit.follow_up)
            self._request(connection, work, effects)
            self._mark(connection, work, commit.outcome, version)
        elif run and run.answered and commit.follow_up and commit.outcome.duplicate:
            self._follow_up(connection, work, commit.follow_up)
        self.log.record_in(connection, commit.event, "accepted")
        # Not only what this run took from there: a dead letter whose event is delivered once more may succeed.
        connection.execute("DELETE FROM inbox WHERE (source, id, handler) = (?, ?, ?)", work)
        left = connection.execute(f"{PENDING} AND (source, id, handler) = (?, ?, ?) ORDER BY number", work)
        return Committed(to_outcome(row) if row else commit.outcome, [to_pending(effect) for effect in left], changes)

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

    def _mark(self, connection: sqlite3.Connection, work: Work, outcome: Outcome, version: int) -> None:
        reply = codec.encode(outcome.reply) if outcome.reply is not None else None
        suppressed = codec.encode(outcome.suppressed) if outcome.suppressed else None
        row = (*work, self._clock(), outcome.took, outcome.attempts, reply, suppressed, version, self._values.version)
        connection.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _settle(self, effect: PendingEffect, status: str, result: bytes) -> None:
        row = (status, self._clock(), result, effect.number)
        self._writer.apply(lambda connection: connection.execute(_SETTLE, row).rowcount)


_REQUEST = """INSERT INTO effects (source, id, handler, position, name, arguments, ordering, status, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?)"""
_REQUESTED = "SELECT name, arguments FROM effects WHERE (source, id, handler) = (?, ?, ?)"
_SETTLE = """UPDATE effects SET status = ?, changed = ?, result = ?, attempts = attempts + 1
    WHERE number = ? AND status = 'pending'"""
