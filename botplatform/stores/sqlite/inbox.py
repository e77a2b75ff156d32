"""The inbox: work that was acknowledged to its sender and is not done yet, and the dead letters."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botplatform.event import Event
from botplatform.store import Run, StateKey, Work, Write
from botplatform.stores.sqlite.log import NUMBER, Log
from botplatform.stores.sqlite.search import Search, in_inbox
from botplatform.stores.sqlite.writer import ReadOnly, Writer

Query = Callable[[str, tuple[Any, ...]], list[Any]]
WriteState = Callable[[sqlite3.Connection, Mapping[StateKey, Write]], object]
ChangeOne = Callable[[sqlite3.Connection, int], list["Waiting"]]
# So many in one transaction, for others wait behind it.
BATCH = 1000
_EVERYTHING = Search()


@dataclass(frozen=True)
class Waiting:
    """One handler's share of one event, waiting for its next attempt at the Unix time `due`, or given up on.

    `run` is the run under way, if there is one, and `also` are state writes for the same transaction. `number` is its
    place in the inbox and `changed` the Unix time when it was put there as it is, both 0 while it is not.
    """

    event: Event
    handler: str
    attempts: int
    due: float
    reason: str = ""
    run: Run | None = None
    also: Mapping[StateKey, Write] = field(default_factory=dict)
    number: int = field(default=0, compare=False)
    changed: float = field(default=0.0, compare=False)

    @property
    def work(self) -> Work:
        """What the store knows this by."""
        return Work(self.event.source, self.event.id, self.handler)


class Inbox:
    """Keeps events whole (the log masks their secrets) until their work is done or somebody drops them."""

    def __init__(
        self, writer: Writer | ReadOnly, query: Query, clock: Callable[[], float], log: Log, write: WriteState
    ) -> None:
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

    def waiting(self, after: int = 0, limit: int = -1) -> list[Waiting]:
        """What is to be handled again, oldest first: up to `limit` (all) with numbers behind `after`."""
        return self._select("dead = 0 AND seq > ? ORDER BY seq LIMIT ?", (after, limit))

    def all_waiting(self, page: int = BATCH) -> Iterator[Waiting]:
        """What is to be handled again, oldest first, however much it is: only so many are in memory at a time."""
        after = 0
        while found := self.waiting(after, page):
            yield from found
            after = found[-1].number

    def find(self, work: Work) -> Waiting | None:
        """What is kept of some work, whether it waits or is a dead letter; None when nothing is."""
        return next(iter(self._select("(source, id, handler) = (?, ?, ?)", work)), None)

    def dead_letters(self, search: Search = _EVERYTHING, after: int = 0, limit: int = -1) -> list[Waiting]:
        """What was given up on, oldest first: up to `limit` (all) with numbers behind `after`.

        Only `verdict` of a search says nothing here: dead is what they all are.
        """
        condition, values = in_inbox(search)
        return self._select(f"dead = 1 AND {condition} AND seq > ? ORDER BY seq LIMIT ?", (*values, after, limit))

    def dead_letter(self, number: int) -> Waiting | None:
        """The dead letter of a number, None when there is none."""
        return next(iter(self._select("dead = 1 AND seq = ?", (number,))), None)

    def size(self) -> tuple[int, int]:
        """How much waits, and how many dead letters there are."""
        counted = dict(self._query("SELECT dead, count(*) FROM inbox GROUP BY dead", ()))
        return counted.get(0, 0), counted.get(1, 0)

    def revive(self, numbers: Sequence[int]) -> list[Waiting]:
        """Make dead letters wait for another try, which is due now and their first; returns them."""
        return self._each(numbers, lambda connection, number: _revive(connection, number, self._clock()))

    def drop(self, numbers: Sequence[int]) -> int:
        """Take dead letters away for good, as the log says of their events; returns how many there were.

        An event that is delivered once more after that is handled once more.
        """

        def change(connection: sqlite3.Connection, number: int) -> list[Waiting]:
            gone = [_waiting(row) for row in connection.execute(_DROP, (number,)).fetchall()]
            for item in gone:
                self._log.add_reason(connection, item.event, f"{item.handler} gave up ({item.reason}) and was dropped")
            return gone

        return len(self._each(numbers, change))

    def edit(self, number: int, event: Event) -> bool:
        """Replace the event of a dead letter by one of the same source and id; False when there is no such one."""
        row = (event.to_json(), self._clock(), number, event.source, event.id)
        return self._writer.apply(lambda connection: connection.execute(_EDIT, row).rowcount) > 0

    def _each(self, numbers: Sequence[int], change: ChangeOne) -> list[Waiting]:
        """Change dead letters, some in each transaction, and return those that there were."""
        done: list[Waiting] = []
        for start in range(0, len(numbers), BATCH):
            done += self._writer.apply(partial(_each_in, change, numbers[start : start + BATCH]))
        return done

    def _select(self, condition: str, values: tuple[Any, ...]) -> list[Waiting]:
        return [_waiting(row) for row in self._query(f"SELECT {_COLUMNS} FROM inbox WHERE {condition}", values)]

    def _put(self, connection: sqlite3.Connection, item: Waiting, dead: bool) -> None:
        self._log.record_in(connection, item.event, "accepted")
        self._write(connection, item.also)
        row = (*item.work, item.event.to_json(), item.attempts, item.due, dead, item.reason, self._clock())
        connection.execute(_PUT, row)


_COLUMNS = "seq, envelope, handler, attempts, due, reason, changed"
_REVIVE = f"""UPDATE inbox SET dead = 0, attempts = 0, due = ?, changed = ? WHERE seq = ? AND dead = 1
    RETURNING {_COLUMNS}"""
_DROP = f"DELETE FROM inbox WHERE seq = ? AND dead = 1 RETURNING {_COLUMNS}"
_EDIT = "UPDATE inbox SET envelope = ?, changed = ? WHERE seq = ? AND dead = 1 AND (source, id) = (?, ?)"
_PUT = """INSERT INTO inbox (source, id, handler, envelope, attempts, due, dead, reason, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET attempts = excluded.attempts, due = excluded.due, dead = max(dead, excluded.dead),
    reason = excluded.reason, changed = excluded.changed
    WHERE excluded.dead OR excluded.reason != '' OR NOT inbox.dead"""
"""What was given up meanwhile keeps its reason, when it turns out to have taken too long as well."""


def _is_done(connection: sqlite3.Connection, work: Work) -> bool:
    sql = f"SELECT 1 FROM outcomes WHERE number = ({NUMBER}) AND handler = ?"
    return connection.execute(sql, work).fetchone() is not None


def _waiting(row: Any) -> Waiting:
    number, envelope, handler, attempts, due, reason, changed = row
    return Waiting(Event.from_json(envelope), handler, attempts, due, reason, number=number, changed=changed)


def _revive(connection: sqlite3.Connection, number: int, now: float) -> list[Waiting]:
    return [_waiting(row) for row in connection.execute(_REVIVE, (now, now, number)).fetchall()]


def _each_in(change: ChangeOne, numbers: Sequence[int], connection: sqlite3.Connection) -> list[Waiting]:
    return [item for number in numbers for item in change(connection, number)]
