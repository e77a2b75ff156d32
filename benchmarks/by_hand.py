"""What the platform keeps of an event, written by a plain loop: it tells how much of a figure that writing is.

There is no handler that could fail, be tried again, given up or told that it was done before.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from pathlib import Path
from typing import Any

from botplatform import codec
from botplatform.stores.sqlite import rows
from botplatform.stores.sqlite.log import RECORD_NEW
from botplatform.stores.sqlite.schema import MIGRATIONS
from botplatform.stores.sqlite.store import JOURNAL_PAGES

_MARK = "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHANGE = "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)"
_COUNT = """INSERT INTO state (plugin, key, value, version) VALUES ('by_hand', 'count', ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, version = excluded.version"""


class ByHand:
    """The platform's tables in a file: a log entry and a marker for each event and, with `counts`, what it changed.

    Events are of one `source` and one `type`. They are on disk after `commit`.
    """

    def __init__(self, file: Path, source: str, type: str, counts: bool = False) -> None:
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(f"PRAGMA wal_autocheckpoint = {JOURNAL_PAGES}")
        self._database.executescript("".join(MIGRATIONS))
        self._source, self._type, self._counts = source, type, counts
        self._numbers = itertools.count(2)  # the first row of `changes` is there already
        self._entries: list[tuple[Any, ...]] = []
        self._marks: list[tuple[Any, ...]] = []
        self._changes: list[tuple[Any, ...]] = []
        self._count = b"0"

    def __len__(self) -> int:
        return len(self._marks)

    def keep(self, id: str, subject: str | None, data: object, reply: object = None) -> None:
        """Note an event for the next commit, with the reply that it got."""
        now, number = time.time(), next(self._numbers)
        about = {"specversion": "1.0", "id": id, "source": self._source, "type": self._type, "subject": subject}
        envelope = codec.encode({**about, "data": data})
        answer = None if reply is None else codec.encode(reply)
        self._entries.append((self._source, id, self._type, subject, now, "accepted", "", envelope))
        self._marks.append((number - 1, self._source, id, "by_hand.keep", now, 0.0, 1, answer, None, number, number))
        if self._counts:
            before, self._count = self._count, b"%d" % (int(self._count) + 1)
            self._changes.append((number, "by_hand", "count", before, self._count, None, now))

    def commit(self) -> None:
        """Return once all is on disk."""
        self._database.execute("BEGIN IMMEDIATE")
        rows.execute(self._database, RECORD_NEW, self._entries)
        rows.execute(self._database, _MARK, self._marks)
        if self._changes:
            rows.execute(self._database, _CHANGE, self._changes)
            self._database.execute(_COUNT, (self._count, self._changes[-1][0]))
        self._database.execute("COMMIT")
        for kept in (self._entries, self._marks, self._changes):
            kept.clear()

    def count(self) -> int:
        """How many events are on disk."""
        count: int = self._database.execute("SELECT count(*) FROM outcomes").fetchone()[0]
        return count

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
