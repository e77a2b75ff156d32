"""The inbox: work that was acknowledged to its sender and is not done yet, and the dead letters."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botplatform.event import Event
from botplatform.store import Run, StateKey, Work, Write
from botplatform.stores.sqlite.log import Log
from botplatform.stores.sqlite.writer import Writer

Query = Callable[[str, tuple[Any, ...]], list[Any]]
WriteState = Callable[[sqlite3.Connection, Mapping[StateKey, Write]], None]


@dataclass(frozen=True)
class Waiting:
    """One handler's share of one event, waiting for its next attempt at the Unix time `due`, or given up on.

    `run` is the run under way, if there is one, and `also` are state writes for the same transaction.
    """

    event: Event
    handler: str
    attempts: int
    due: float
    reason: str = ""
    run: Run | None = None
    also: Mapping[StateKey, Write] = field(default_factory=dict)

    @property
    def work(self) -> Work:
        """What the store knows this by."""
        return Work(self.event.source, self.event.id, self.handler)


class Inbox:
    """Keeps events whole (the log masks their secrets) until their work is done or somebody drops them."""

    def __init__(self, writer: Writer, query: Query, clock: Callable[[], float], log: Log, write: WriteState) -> None:
        self._write = write
        self._writer = writer
        self._query = query
        self._clock = clock
        self._log = log

    def keep(self, waiting: Sequence[Waiting], answered: bool = False, abandoned: bool = False) -> list[Work]:
        """Keep work for later and return what was kept: not what was done meanwhile.

        With `answered`, the sender has been told: the runs under way send their reply after it. With `abandoned`,
        what the runs under way may still commit is refused.
        """

        def change(connection: sqlite3.Connection) -> list[Work]:
            kept = [item for item in waiting if not _is_done(connection, item.work)]
            for item in kept:
                self._put(connection, item, dead=False)
                if item.run:
                    item.run.inboxed = True
                    item.run.answered = item.run.answered or answered
                    item.run.abandoned = item.run.abandoned or abandoned
            return [item.work for item in kept]

        return self._writer.apply(change)

    def give_up(self, waiting: Waiting) -> bool:
        """Make work a dead letter, and refuse what its run may still commit; False when it was done meanwhile."""

        def change(connection: sqlite3.Connection) -> bool:
            if _is_done(connection, waiting.work):
                return False
            if waiting.run:
                waiting.run.abandoned = True
            self._put(connection, waiting, dead=True)
            return True

        return self._writer.apply(change)

    def waiting(self) -> list[Waiting]:
        """What is to be handled again, oldest first."""
        return self._select("dead = 0")

    def dead_letters(self) -> list[Waiting]:
        """What was given up on, oldest first."""
        return self._select("dead = 1")

    def _select(self, condition: str) -> list[Waiting]:
        sql = f"SELECT envelope, handler, attempts, due, reason FROM inbox WHERE {condition} ORDER BY seq"
        return [
            Waiting(Event.from_json(envelope), handler, attempts, due, reason)
            for envelope, handler, attempts, due, reason in self._query(sql, ())
        ]

    def _put(self, connection: sqlite3.Connection, item: Waiting, dead: bool) -> None:
        self._log.record_in(connection, item.event, "accepted")
        self._write(connection, item.also)
        row = (*item.work, item.event.to_json(), item.attempts, item.due, dead, item.reason, self._clock())
        connection.execute(_PUT, row)


_PUT = """INSERT INTO inbox (source, id, handler, envelope, attempts, due, dead, reason, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET attempts = excluded.attempts, due = excluded.due, dead = max(dead, excluded.dead),
    reason = excluded.reason, changed = excluded.changed"""


def _is_done(connection: sqlite3.Connection, work: Work) -> bool:
    sql = "SELECT 1 FROM outcomes WHERE (source, id, handler) = (?, ?, ?)"
    return connection.execute(sql, work).fetchone() is not None
