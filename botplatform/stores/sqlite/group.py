"""Commits that are applied together: decided one after the other in memory, then written table by table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from botplatform import codec
from botplatform.errors import Conflict
from botplatform.event import Event
from botplatform.source import EffectRequest
from botplatform.store import (
    Abandoned,
    Change,
    Commit,
    Committed,
    Outcome,
    PendingEffect,
    StateKey,
    Work,
    Write,
    effect_key,
)
from botplatform.stores.sqlite import rows
from botplatform.stores.sqlite.changes import Draft, Values, changed
from botplatform.stores.sqlite.log import NUMBER, RECORD, RECORD_NEW, Log
from botplatform.stores.sqlite.reading import OUTCOME, PENDING, to_outcome, to_pending, to_row
from botplatform.stores.sqlite.savepoints import outcome_of

Result = Committed | Exception


class Call:
    """How far the commits of one call have come, for those that are chained to the earlier ones.

    It is `broken` once one that was to change something changed nothing.
    """

    def __init__(self, commits: Sequence[Commit]) -> None:
        self._seen = {key for commit in commits if commit.chained for key in commit.reads}
        self.broken = False
        self._before: dict[StateKey, int] = {}

    def check(self, commit: Commit, draft: Draft) -> None:
        """Raise Conflict unless all is as the commit's handler saw it."""
        if not commit.chained:
            return draft.check(commit.reads)
        if self.broken:
            raise Conflict("an earlier one of its call changed nothing")
        for key, version in commit.reads.items():
            if (self._before[key] if key in self._before else draft.version(key)) != version:
                raise changed(key)

    def note(self, commit: Commit, draft: Draft) -> None:
        """Remember what versions the first to write a value finds, those there were before the call."""
        if self._seen:
            for key in self._seen & commit.writes.keys() - self._before.keys():
                self._before[key] = draft.version(key)

    def after(self, commit: Commit, result: Result) -> Result:
        """Remember whether a commit changed nothing, though it was to."""
        if isinstance(result, Exception) or (result.outcome.duplicate and not commit.outcome.duplicate):
            self.broken = True
        return result


class Parts(NamedTuple):
    """What groups are made with: `clock` gives the Unix time in seconds, `numbers` are those of new effects."""

    values: Values
    log: Log
    clock: Callable[[], float]
    numbers: Iterator[int]


class Group:
    """Commits on their way into one transaction; `done` are the outcomes of work that is known to be done."""

    def __init__(self, connection: sqlite3.Connection, parts: Parts, done: Mapping[Work, Outcome]) -> None:
        self._connection = connection
        self._values, self._log, clock, self._numbers = parts
        self._now = clock()
        self._draft = self._values.draft(connection)
        self._done = done
        self._marks: dict[Work, tuple[Any, ...]] = {}
        self._events: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._effects: list[tuple[Any, ...]] = []
        self._repeated: list[Work] = []
        self._noted: dict[int, Mapping[StateKey, Write]] = {}  # by identity: what hosts have to remember

    def decide(self, commit: Commit, progress: Call) -> Result:
        """What comes of a commit once the group is saved; `progress` is that of its call.

        Raises sqlite3.IntegrityError for work of which the group has a commit already.
        """
        work = commit.work
        if work in self._marks:
            raise sqlite3.IntegrityError("the same work twice")
        outcome = self._done.get(work) if self._done else None
        if outcome is None:
            result = outcome_of(self._new, commit, progress)
            if isinstance(result, Committed):
                return result
            outcome = outcome_in(self._connection, work)  # for what is done, nothing of that matters
        if outcome is not None:
            result = outcome_of(self._again, commit, outcome)
        return progress.after(commit, result)

    def save(self, expected: bool) -> bool:
        """Write it all; False, and then only some of it is written, where any of the work was done before.

        Where that is not to be `expected`, it raises sqlite3.IntegrityError.
        """
        connection, numbers = self._connection, self._numbered()
        marks = [(numbers[work[:2]], *mark) for work, mark in self._marks.items()]
        if rows.execute(connection, _MARK_NEW if expected else _MARK, marks) < len(marks):
            return False
        rows.execute(connection, _REQUEST, self._effects)
        self._draft.save()
        # Not only what a run took from there: a dead letter whose event is delivered once more may succeed.
        if connection.execute("SELECT 1 FROM inbox LIMIT 1").fetchone():
            works = [*self._marks, *self._repeated]
            rows.execute(connection, "DELETE FROM inbox WHERE (source, id, handler) = (?, ?, ?)", works)
        return True

    def _numbered(self) -> Mapping[tuple[str, str], int]:
        """The numbers of the events, which are in the log from now on."""
        entries = [*self._events.values()]
        if rows.execute(self._connection, RECORD_NEW, entries) == len(entries):
            # SQLite, "SQLite Autoincrement": what is inserted without a number gets one more than the largest.
            (last,) = self._connection.execute("SELECT last_insert_rowid()").fetchone()
            return dict(zip(self._events, range(last - len(entries) + 1, last + 1), strict=True))
        rows.execute(self._connection, RECORD, entries)
        return {event: self._connection.execute(NUMBER, event).fetchone()[0] for event in self._events}

    def _new(self, commit: Commit, progress: Call) -> Committed:
        """Note all that is to be written; what is wrong with the commit is raised before anything is noted."""
        work, run, outcome = commit.work, commit.run, commit.outcome
        if run and run.abandoned:
            raise Abandoned(f"{work.handler} was given up before it committed")
        if commit.reads or progress.broken:
            progress.check(commit, self._draft)
        about, entry = self._entry(work, commit.event)
        reply, attempts, took, suppressed = to_row(outcome)
        requests = _requests(commit)
        requested = self._requested(work, requests) if requests else ()
        version = self._values.version
        changes: Sequence[Change] = ()
        if commit.writes:
            progress.note(commit, self._draft)
            changes = self._draft.write(commit.writes)
        if commit.also and id(commit.also) not in self._noted:  # mostly, several commits bring the very same
            self._draft.write(commit.also)
            self._noted[id(commit.also)] = commit.also
        self._marks[work] = (*work, self._now, took, attempts, reply, suppressed, version, self._values.version)
        self._events[about] = entry
        self._effects += [row for _, row in requested]
        return Committed._make((outcome, [effect for effect, _ in requested], changes))

    def _again(self, commit: Commit, outcome: Outcome) -> Committed:
        """The outcome there was before, and the effects still to be performed, with the reply nobody got before."""
        work, run = commit.work, commit.run
        about, entry = self._entry(work, commit.event)
        if run and run.answered and commit.follow_up and commit.outcome.duplicate:
            asked = self._connection.execute(_REQUESTED, work).fetchall()
            if (commit.follow_up.name, codec.encode(commit.follow_up.arguments)) not in asked:
                requested = self._requested(work, [commit.follow_up], len(asked))
                rows.execute(self._connection, _REQUEST, [row for _, row in requested])
        self._events[about] = entry
        self._repeated.append(work)
        left = self._connection.execute(f"{PENDING} AND (source, id, handler) = (?, ?, ?) ORDER BY number", work)
        return Committed(outcome, [to_pending(effect) for effect in left])

    def _entry(self, work: Work, event: Event) -> tuple[tuple[str, str], tuple[Any, ...]]:
        """What names a commit's event, and its row of the log."""
        about = work[:2]
        return about, self._events.get(about) or self._log.row(event, "accepted", self._now)

    def _requested(
        self, work: Work, requests: Sequence[EffectRequest], first: int = 0
    ) -> list[tuple[PendingEffect, tuple[Any, ...]]]:
        """Effects a commit asks for, and the rows they become; `first` is the place of the first of them."""
        requested = []
        for position, (name, arguments, order) in enumerate(requests, first):
            json, number = codec.encode(arguments), next(self._numbers)
            request = EffectRequest(name, codec.decode(json), order)
            row = (number, *work, position, name, json, order, self._now)
            requested.append((PendingEffect(number, work, request, effect_key(work, position)), row))
        return requested


def _requests(commit: Commit) -> Sequence[EffectRequest]:
    """The effects a commit asks for, its reply among them where nobody waits for that any more."""
    if commit.run and commit.run.answered and commit.follow_up:
        return [*commit.effects, commit.follow_up]
    return commit.effects


def outcome_in(connection: sqlite3.Connection, work: Work) -> Outcome | None:
    """The outcome of work that is done, else None, as a transaction sees it."""
    row = connection.execute(OUTCOME, work).fetchone()
    return to_outcome(row) if row else None


_MARK: Final = "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MARK_NEW: Final = f"{_MARK} ON CONFLICT DO NOTHING"
_REQUEST: Final = """INSERT INTO effects
    (number, source, id, handler, position, name, arguments, ordering, status, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)"""
_REQUESTED: Final = "SELECT name, arguments FROM effects WHERE (source, id, handler) = (?, ?, ?)"
