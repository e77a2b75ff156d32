"""What is old is forgotten, a little at a time, so that nobody waits for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from math import inf
from typing import Any, Final

from botplatform.stores.sqlite.writer import Writer

Query = Callable[[str, tuple[Any, ...]], list[Any]]

# Rows forgotten in one transaction: a few milliseconds, for which others wait.
BATCH: Final = 250
# AWS Lambda, "Asynchronous invocation": an event is kept for up to 6 hours; others' senders try again for up to a day.
MARKERS_LIVE: Final = 25 * 3600.0


class Pruning:
    """Looks on a reader for what is to go, which the writer has only to delete; `now` is a Unix time in seconds."""

    def __init__(self, writer: Writer, query: Query, now: float) -> None:
        self._writer = writer
        self._query = query
        self._now = now

    def prune(self, age: float, limit: int) -> int:
        """Forget what is older than `age` seconds, and the oldest events beyond `limit`; returns how many events.

        Markers, and with them effects and changes, stay for 25 hours in any case, and a marker as long as any effect of
        its event: without it, the event would be handled again.
        """
        before = self._now - age
        beyond = self._query(
            "SELECT received, seq FROM log ORDER BY received DESC, seq DESC LIMIT 1 OFFSET ?", (limit,)
        )
        with_them = max(before, min(beyond[0][0], self._now - MARKERS_LIVE)) if beyond else before
        self._forget("state", "plugin, key", "expires < ?", self._now)
        self._forget("effects", "number", "changed < ? AND status = 'performed'", with_them)
        self._forget_markers(with_them)
        self._forget_changes(with_them)
        forgotten = self._forget_events("(received, seq) <= (?, ?)", beyond[0]) if beyond else 0
        return forgotten + self._forget_events("received < ?", (before,))

    def _forget(self, table: str, key: str, condition: str, limit: float) -> int:
        """Delete the rows that meet a condition, and still meet it when their turn comes; returns how many."""
        forgotten = 0
        delete = f"DELETE FROM {table} WHERE ({key}) = ({', '.join('?' * (key.count(',') + 1))}) AND {condition}"
        while rows := self._query(f"SELECT {key} FROM {table} WHERE {condition} LIMIT {BATCH}", (limit,)):
            forgotten += self._writer.apply(partial(_delete, delete, [(*row, limit) for row in rows]))
        return forgotten

    def _forget_events(self, condition: str, limit: tuple[float, ...]) -> int:
        """Take the events that meet a condition out of the log; returns how many."""
        forgotten = 0
        while rows := self._query(f"SELECT seq FROM log WHERE {condition} LIMIT {BATCH}", limit):
            forgotten += self._writer.apply(partial(_unlog, rows))
        return forgotten

    def _forget_markers(self, before: float) -> None:
        """Forget the markers from before a time, but for those with effects left, in one walk through the old events.

        A marker is older than `before` only if its event is, and events that came later have greater numbers.
        """
        young = self._query("SELECT seq FROM log WHERE received >= ? ORDER BY received LIMIT 1", (before,))
        last, end = (-inf, ""), young[0][0] if young else inf
        while rows := self._query(_MARKERS, (*last, end, before)):
            self._writer.apply(partial(_unmark, rows))
            last = rows[-1]

    def _forget_changes(self, before: float) -> None:
        """Forget the oldest changes but for the last of them, which says how far back the rest goes."""
        while True:
            rows = self._query(f"SELECT number, changed FROM changes ORDER BY number LIMIT {BATCH}", ())
            old = [(number,) for number, _ in takewhile(lambda row: row[1] < before, rows)]
            if len(old) < 2:
                return
            self._writer.apply(partial(_delete, "DELETE FROM changes WHERE number = ?", old[:-1]))


_UNLOG = "UPDATE events SET received = -1, subject = NULL, reason = '', envelope = NULL WHERE seq = ?"
_FORGET = """DELETE FROM events
    WHERE seq = ? AND received < 0 AND NOT EXISTS (SELECT 1 FROM outcomes WHERE number = seq)"""
_EFFECTS = """SELECT 1 FROM effects
    WHERE (effects.source, effects.id, effects.handler) = (outcomes.source, outcomes.id, outcomes.handler)"""
_MARKERS = f"""SELECT number, handler FROM outcomes
    WHERE (number, handler) > (?, ?) AND number < ? AND finished < ? AND NOT EXISTS ({_EFFECTS})
    ORDER BY number, handler LIMIT {BATCH}"""
_UNMARK = f"DELETE FROM outcomes WHERE (number, handler) = (?, ?) AND NOT EXISTS ({_EFFECTS})"


def _delete(sql: str, rows: list[tuple[Any, ...]], connection: sqlite3.Connection) -> int:
    return connection.executemany(sql, rows).rowcount


def _unlog(events: list[tuple[Any, ...]], connection: sqlite3.Connection) -> int:
    connection.executemany(_UNLOG, events)
    connection.executemany(_FORGET, events)
    return len(events)


def _unmark(markers: list[tuple[Any, ...]], connection: sqlite3.Connection) -> None:
    connection.executemany(_UNMARK, markers)
    connection.executemany(_FORGET, [(number,) for number, _ in markers])
