"""The log: every event accepted, rejected or unmatched, and what became of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any, Final

from botplatform import codec
from botplatform.event import Event
from botplatform.source import EffectRequest
from botplatform.stores.sqlite import changes
from botplatform.stores.sqlite.search import Search, in_log
from botplatform.stores.sqlite.writer import ReadOnly, Writer, ignore

Query = Callable[[str, tuple[Any, ...]], list[Any]]


_EVERYTHING = Search()
_LAST_NUMBER = 2**63 - 1


class Log:
    """Writes and reads the log; entries are dicts of JSON values, so that every tool shows the same."""

    def __init__(
        self,
        writer: Writer | ReadOnly,
        query: Query,
        clock: Callable[[], float] = time.time,
        mask: Callable[[Event], bytes] = Event.to_json,
    ) -> None:
        self._writer = writer
        self._query = query
        self._clock = clock
        self._mask = mask

    def record(self, event: Event, verdict: str, reason: str = "", told: Callable[[Any], object] = ignore) -> None:
        """Log an event that no unit of work will log, or that it came once more; does not wait for the disk.

        `told` is called on the writer's thread once it is there, or with the exception that says why it is not.
        """
        self._writer.execute(_RECORD_OR_COUNT, self.row(event, verdict, self._clock(), reason), told)

    def reject(self, source: str, reason: str) -> None:
        """Log an input of `source` that was no event; does not wait for the disk."""
        self._writer.execute(_INSERT, (source, None, "", None, self._clock(), "rejected", reason, None))

    def record_in(self, connection: sqlite3.Connection, event: Event, verdict: str, reason: str = "") -> None:
        """Log an event as part of a transaction; one that is there already stays as it is."""
        connection.execute(RECORD, self.row(event, verdict, self._clock(), reason))

    def add_reason(self, connection: sqlite3.Connection, event: Event, reason: str) -> None:
        """Say more about an event, as part of a transaction."""
        self.record_in(connection, event, "accepted")
        sql = "UPDATE events SET reason = ltrim(reason || '; ' || ?, '; ') WHERE (source, id) = (?, ?)"
        connection.execute(sql, (reason, event.source, event.id))

    def row(self, event: Event, verdict: str, now: float, reason: str = "") -> tuple[Any, ...]:
        """What RECORD takes to log an event; `now` is the Unix time in seconds."""
        return (event.source, event.id, event.type, event.subject, now, verdict, reason, self._mask(event))

    def delivered_again(self, event: Event) -> None:
        """Count one more delivery of an event; does not wait for the disk."""
        self._writer.execute(_COUNT, (event.source, event.id))

    def events(
        self,
        after: int = 0,
        limit: int = 100,
        newest_first: bool = False,
        search: Search = _EVERYTHING,
        before: int | None = None,
    ) -> list[dict[str, Any]]:
        """Up to `limit` entries between the numbers `after` and `before`: the oldest of them, or the newest first."""
        condition, values = in_log(search)
        order = "DESC" if newest_first else "ASC"
        sql = f"{_SELECT} WHERE seq > ? AND seq < ? AND {condition} ORDER BY seq {order} LIMIT ?"
        last = _LAST_NUMBER if before is None else before
        return [self._entry(row) for row in self._query(sql, (after, last, *values, limit))]

    def count(self, search: Search = _EVERYTHING) -> int:
        """How many entries there are."""
        condition, values = in_log(search)
        return int(self._query(f"SELECT count(*) FROM log WHERE {condition}", values)[0][0])

    def by_id(self, id: str) -> list[int]:
        """The numbers of the entries whose events have an id: one for each source that uses it."""
        return [number for (number,) in self._query(_BY_ID, (id,))]

    def envelope(self, number: int) -> Event | None:
        """An entry's event, its secrets masked; None when there is no such entry, or it was rejected."""
        rows = self._query(_ENVELOPE, (number,))
        return Event.from_json(rows[0][0]) if rows and rows[0][0] else None

    def event(self, number: int) -> dict[str, Any] | None:
        """One entry with its envelope, None when there is none of that number."""
        rows = self._query(f"{_SELECT} WHERE seq = ?", (number,))
        if not rows:
            return None
        envelope = self._query(_ENVELOPE, (number,))[0][0]
        return {**self._entry(rows[0]), "envelope": codec.decode(envelope) if envelope else None}

    def effects(self, name: str, limit: int = 50) -> list[dict[str, Any]]:
        """The latest effects of one name, newest first."""
        return [
            _effect(row)
            for row in self._query(f"{_EFFECTS} WHERE name = ? ORDER BY number DESC LIMIT ?", (name, limit))
        ]

    def _entry(self, row: Any) -> dict[str, Any]:
        entry = dict(zip(_COLUMNS, row, strict=True))
        key = (entry["source"], entry["id"])
        handlers = [self._handled(key, done) for done in self._query(_OUTCOMES, (entry["number"],))]
        handlers += [_unfinished(item) for item in self._query(_INBOX, key)]
        return {**entry, "handlers": handlers}

    def _handled(self, key: tuple[str, str], row: Any) -> dict[str, Any]:
        handler, finished, took, attempts, reply, suppressed, *versions = row
        where = f"{_EFFECTS} WHERE (source, id, handler) = (?, ?, ?) ORDER BY number"
        return {
            "handler": handler,
            "status": "done",
            "finished": finished,
            "took": took,
            "attempts": attempts,
            "reply": codec.decode(reply) if reply else None,
            "suppressed": codec.decode(suppressed) if suppressed else [],
            "effects": [_effect(effect) for effect in self._query(where, (*key, handler))],
            "changes": [changes.shown(change) for change in self._query(_CHANGES, tuple(versions))],
        }


_INSERT = """INSERT INTO events (source, id, type, subject, received, verdict, reason, envelope)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
RECORD_NEW: Final = f"{_INSERT} ON CONFLICT DO NOTHING"
"""Logs an event, unless it has a number already."""
RECORD: Final = f"""{_INSERT} ON CONFLICT DO UPDATE SET type = excluded.type, subject = excluded.subject,
    received = excluded.received, envelope = excluded.envelope WHERE received < 0"""
"""Logs an event; one that is in the log already stays as it is."""
_RECORD_OR_COUNT = f"""{_INSERT} ON CONFLICT DO UPDATE SET deliveries = deliveries + 1,
    received = iif(received < 0, excluded.received, received), subject = coalesce(subject, excluded.subject),
    envelope = coalesce(envelope, excluded.envelope)"""
NUMBER: Final = "SELECT seq FROM events WHERE (source, id) = (?, ?)"
"""The number that an event has, also where it is in the log no more."""
_BY_ID = "SELECT seq FROM log WHERE seq IN (SELECT seq FROM events WHERE id = ?) ORDER BY seq"
_ENVELOPE = "SELECT envelope FROM log WHERE seq = ?"
_COUNT = "UPDATE events SET deliveries = deliveries + 1 WHERE (source, id) = (?, ?)"
_COLUMNS = ("number", "source", "id", "type", "subject", "received", "verdict", "reason", "deliveries", "replay_of")
_SELECT = """SELECT seq, source, id, type, subject, received, verdict, reason, deliveries,
    CAST(envelope AS TEXT) ->> 'replayof' FROM log"""
_OUTCOMES = """SELECT handler, finished, took, attempts, reply, suppressed, version_before, version_after
    FROM outcomes WHERE number = ?"""
_CHANGES = "SELECT plugin, key, before, after, size FROM changes WHERE number > ? AND number <= ? ORDER BY number"
_INBOX = "SELECT seq, handler, attempts, due, dead, reason FROM inbox WHERE (source, id) = (?, ?) ORDER BY seq"
_EFFECTS = "SELECT number, name, arguments, status, attempts, changed, result FROM effects"


def _effect(row: Any) -> dict[str, Any]:
    number, name, arguments, status, attempts, changed, result = row
    return {
        "number": number,
        "name": name,
        "arguments": EffectRequest(name, codec.decode(arguments)).shown(),
        "status": status,
        "attempts": attempts,
        "changed": changed,
        "result": codec.decode(result) if result else None,
    }


def _unfinished(row: Any) -> dict[str, Any]:
    number, handler, attempts, due, dead, reason = row
    status = {"status": "dead", "dead_letter": number} if dead else {"status": "waiting"}
    return {"handler": handler, **status, "attempts": attempts, "due": due, "reason": reason}
