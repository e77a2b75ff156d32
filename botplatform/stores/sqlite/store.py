"""The store contract on SQLite: what a unit of work asked for becomes rows, all in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

from botplatform import codec
from botplatform.errors import StateUnavailable
from botplatform.event import Event
from botplatform.store import Commit, Committed, Outcome, PendingEffect, StateKey, Work, Write
from botplatform.stores.sqlite.advice import unavailable
from botplatform.stores.sqlite.changes import Values
from botplatform.stores.sqlite.commits import Commits
from botplatform.stores.sqlite.copying import copy
from botplatform.stores.sqlite.group import Parts
from botplatform.stores.sqlite.inbox import Inbox
from botplatform.stores.sqlite.log import Log
from botplatform.stores.sqlite.pruning import Pruning
from botplatform.stores.sqlite.readers import Readers
from botplatform.stores.sqlite.reading import OUTCOME, OUTCOMES, Reading, to_outcome, to_row
from botplatform.stores.sqlite.recent import Recent
from botplatform.stores.sqlite.schema import migrate
from botplatform.stores.sqlite.writer import Writer

T = TypeVar("T")


class SqliteStore(Reading):
    """The Store, with the inbox and the log of the local host, in one file.

    `path` is the file, made when missing; `clock` gives the Unix time in seconds; `mask(event)` is the envelope as
    the log may keep it, without secrets. Raises StateUnavailable when it cannot be opened.
    """

    keeps = True

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
                (effects,) = connection.execute("SELECT coalesce(max(number), 0) FROM effects").fetchone()
        except sqlite3.Error as error:
            raise unavailable(error) from error
        except OSError as error:
            raise StateUnavailable(f"the state folder {path.parent} cannot be used: {error.strerror}") from error
        self._writer = Writer(self._connect_to_write)
        self._recent = Recent()
        self._values = Values(clock, version)
        log = Log(self._writer, self._query, clock, mask)
        self._commits = Commits(Parts(self._values, log, clock, count(effects + 1)))
        inbox = Inbox(self._writer, self._query, clock, log, self._values.write)
        super().__init__(self._query, clock, log, inbox, self._looked_up)

    def outcome(self, work: Work) -> Outcome | None:
        """The outcome of work that is done, else None; from memory where that was lately."""
        row = self._recent.get(work)
        if row is None:
            forgotten = self._recent.times_forgotten
            row = next(iter(self._look_up(OUTCOME, work)), None)
            if row is not None and forgotten == self._recent.times_forgotten:
                self._recent.add({work: row})
        return to_outcome(row) if row else None

    def outcomes(self, works: Sequence[Work]) -> dict[Work, Outcome]:
        """The outcomes of what is done of some work, as `outcome` gives them, for much less than asking for each."""
        rows = self._recent.known(works)
        unknown = [work for work in works if work not in rows] if rows else works
        if len(unknown) == 1:
            rows |= {work: row for work in unknown for row in self._look_up(OUTCOME, work)}
        else:
            ids: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
            for source, id_, handler in unknown:
                ids[source, handler].append(id_)
            for (source, handler), wanted in ids.items():
                found = self._look_up(OUTCOMES, (codec.encode(wanted).decode(), source, handler))
                rows |= {Work(source, row[0], handler): row[1:] for row in found}
        return {work: to_outcome(row) for work, row in rows.items()}

    def commit(self, commit: Commit) -> Committed:
        result: Committed | Exception = self._writer.perform(self._commits.apply, [commit])[0]
        self._remember([commit], [result])
        if isinstance(result, Exception):
            raise result
        return result

    def submit(self, commits: Sequence[Commit], told: Callable[[Sequence[Committed | Exception]], None]) -> None:
        """Like `commit` for several, in their order and in one transaction, without waiting for others' commits.

        `told` is called once, when they are on disk or failed, with what `commit` would have returned or raised for
        each. It runs on the writer's thread, or on this one where nothing else is going on, so it has to be quick.
        """

        def tell(results: Sequence[Committed | Exception] | StateUnavailable) -> None:
            each = [results] * len(commits) if isinstance(results, StateUnavailable) else results
            self._remember(commits, each)
            told(each)

        self._writer.begin(self._commits.apply, commits, tell, len(commits))

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
        try:
            return Pruning(self._writer, self._query, self._clock()).prune(age, limit)
        finally:
            self._recent.forget()

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

    def _connect_to_write(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute(f"PRAGMA wal_autocheckpoint = {JOURNAL_PAGES}")
        return connection

    def _looked_up(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """As `_query`, for what takes no time: on the connection that writes, where nobody has it.

        It knows the pages, where any other reads them anew after each commit.
        """
        rows = self._asked(self._writer.query, sql, parameters)
        return self._query(sql, parameters) if rows is None else rows

    def _query(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """Read what is committed; raises StateUnavailable."""
        return self._asked(self._readers.query, sql, parameters)

    def _asked(self, query: Callable[[str, tuple[Any, ...]], T], sql: str, parameters: tuple[Any, ...]) -> T:
        try:
            return query(sql, parameters)
        except sqlite3.Error as error:
            self._writer.notice(error)
            raise unavailable(error) from error

    def _remember(self, commits: Sequence[Commit], results: Sequence[Committed | Exception]) -> None:
        """Keep in memory what was done just now."""
        self._recent.add(
            {
                commit.work: to_row(result.outcome)
                for commit, result in zip(commits, results, strict=True)
                if isinstance(result, Committed) and not result.outcome.duplicate
            }
        )

    def _settle(self, effect: PendingEffect, status: str, result: bytes) -> None:
        row = (status, self._clock(), result, effect.number)
        self._writer.apply(lambda connection: connection.execute(_SETTLE, row).rowcount)


# Of 4 KiB each. A page waits in the journal to be written to its place: the longer, the more commits have changed it.
JOURNAL_PAGES: Final = 4000
_SETTLE = """UPDATE effects SET status = ?, changed = ?, result = ?, attempts = attempts + 1
    WHERE number = ? AND status = 'pending'"""
