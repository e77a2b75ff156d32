"""The store contract on DynamoDB: one write for what a unit of work asked for, conditional on all it relied on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from botplatform.errors import Conflict, StateUnavailable
from botplatform.source import EffectRequest
from botplatform.store import Abandoned, Commit, Committed, Outcome, PendingEffect, Run, StateKey, Value, Work, Write
from botplatform.stores.dynamodb.changes import LIMIT, planned
from botplatform.stores.dynamodb.failures import Refused
from botplatform.stores.dynamodb.items import NEW, Item, Key, marker_key, new_version, put, state_key, unchanged
from botplatform.stores.dynamodb.marker import Marker
from botplatform.stores.dynamodb.table import Table

T = TypeVar("T")

# Seconds for which effects are left to whoever committed them; twice as many after each failed attempt.
GRACE = 60.0
# How many times that a sweep has for what it took (Lambda's longest run is 15 minutes), and of how many events that is.
SWEEP = 15
AT_ONCE = 500
# How often a write that others were in the way of is made again.
RACES = 50


class DynamoStore:
    """The Store in a DynamoDB table, for as many processes at once as there are.

    `table` is its name and `client` botocore's; `clock` gives the Unix time in seconds and `pause` sleeps for some.
    Effects committed or taken up are in this process's hands for `grace` seconds: until then neither `pending` nor a
    commit of the same work gives them to another one. `pending` gives those of 500 events at a time.
    """

    keeps = True

    def __init__(
        self,
        table: str,
        client: Any,
        clock: Callable[[], float] = time.time,
        grace: float = GRACE,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = Table(table, client, pause)
        self._clock = clock
        self._grace = grace

    def outcome(self, work: Work) -> Outcome | None:
        found = self._table.get(marker_key(work))
        return Marker.read(found).outcome if found else None

    def read(self, key: StateKey) -> Value:
        return _value(self._table.get(state_key(key)), self._clock())

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        now = self._clock()
        for item in self._table.query(state_key(StateKey(plugin, "")).pk, prefix):
            if not item.has_expired(now):
                yield item.key.sk, Value(item.json, item.version)

    def commit(self, commit: Commit) -> Committed:
        if commit.outcome.duplicate:
            return self._again(commit)
        version = new_version()
        return self._racing(lambda: self._commit(commit, version))

    def write(self, writes: Mapping[StateKey, Write], wait: bool = True) -> None:
        """Change state outside any unit: for what a host has to remember of its own.

        It is durable when this returns, with or without `wait`. More than a transaction holds is done in several.
        """
        del wait
        keys = list(writes)
        for start in range(0, len(keys), LIMIT):
            part = {key: writes[key] for key in keys[start : start + LIMIT]}
            self._racing(partial(self._write, part))

    def pending(self) -> list[PendingEffect]:
        now = self._clock()
        due = list(islice(self._table.due(now), AT_ONCE))
        taken = [effect for key in due for effect in self._take(key, SWEEP * self._grace)[1]]
        return sorted(taken, key=lambda effect: effect.number)

    def performed(self, effect: PendingEffect, result: Mapping[str, Any]) -> None:
        self._settle(effect, "performed", result, self._grace)

    def postponed(self, effect: PendingEffect, reason: str, given_up: bool) -> None:
        wait = self._grace * 2 ** (effect.attempts + 1)
        self._settle(effect, "given up" if given_up else "pending", {"reason": reason}, wait)

    def close(self) -> None:
        self._table.close()

    def _racing(self, attempt: Callable[[], T]) -> T:
        """Try until no other write is in the way."""
        for lost in range(RACES):
            try:
                return attempt()
            except Refused:
                self._table.wait(lost)
        raise StateUnavailable(f"others were first {RACES} times")

    def _write(self, writes: Mapping[StateKey, Write]) -> None:
        plan = planned({}, writes, self._table.get, self._clock())
        self._table.write([step.action for step in plan.values()])

    def _commit(self, commit: Commit, version: int) -> Committed:
        """One try; raises Refused when only what the handler did not see has changed meanwhile."""
        plan = planned(commit.reads, commit.all_writes, self._table.get, self._clock(), commit.found)
        if commit.run and not commit.run.begin_commit():
            raise Abandoned(f"{commit.work.handler} was given up before it committed")
        now = self._clock()
        marker = Marker.of(commit, time.time_ns(), version, now, now + self._grace)
        try:
            self._table.write([put(marker.item(), NEW), *(step.action for step in plan.values())])
        except Refused as refused:
            if 0 in refused.positions:
                return self._lost(commit, marker)
            if commit.run:
                commit.run.rolled_back()
            _raise_conflict(commit, list(plan), refused)
            raise
        return Committed(commit.outcome, marker.pending(), [step.change for step in plan.values() if step.change])

    def _lost(self, commit: Commit, ours: Marker) -> Committed:
        """What holds instead of `ours`, which may be ours after all: written by a try whose answer was lost."""
        found = self._table.get(marker_key(commit.work))
        if found and found.version == ours.version:
            return Committed(commit.outcome, ours.pending())
        return self._again(commit)

    def _again(self, commit: Commit) -> Committed:
        """What is left to do of work that is done: what is in nobody's hands, and the reply whose sender left."""
        run = commit.run or Run()
        # A follow-up of a run that lost says what that run found: the engine asks again with the reply that holds.
        follow_up = commit.follow_up if run.answered and commit.outcome.duplicate else None
        marker, effects = self._take(marker_key(commit.work), self._grace, follow_up, run.takes_over)
        return Committed(marker.outcome if marker else commit.outcome._replace(duplicate=True), effects)

    def _take(
        self, key: Key, seconds: float, follow_up: EffectRequest | None = None, overdue: bool = False
    ) -> tuple[Marker | None, list[PendingEffect]]:
        """Take what is due into our hands for some time, with a follow-up: the marker, and what we took.

        With `overdue`, all that is pending counts as due: whoever had it left it to us.
        """
        now = self._clock()
        then = float("inf") if overdue else now

        def change(marker: Marker) -> Marker:
            taken = marker.taken(now + seconds) if marker.is_due(then) else marker
            return taken.asking(follow_up, now, now + seconds) if follow_up else taken

        revised = self._racing(lambda: self._revise(key, change))
        if revised is None:
            return None, []
        before, after = revised
        others = 0 if before.is_due(then) else len(before.pending())
        return after, after.pending()[others:]

    def _settle(self, effect: PendingEffect, status: str, result: Mapping[str, Any], wait: float) -> None:
        now = self._clock()
        change = partial(Marker.settled, number=effect.number, status=status, result=result, now=now, due=now + wait)
        self._racing(lambda: self._revise(marker_key(effect.work), change))

    def _revise(self, key: Key, change: Callable[[Marker], Marker]) -> tuple[Marker, Marker] | None:
        """Change a marker if nobody else does: how it was and how it is, None where it is gone; raises Refused."""
        item = self._table.get(key)
        if item is None:
            return None
        before = Marker.read(item)
        after = change(before)
        if after is not before:
            self._table.write([put(after.item(), unchanged(before.version))])
        return before, after


def _value(item: Item | None, now: float) -> Value:
    return Value(item.json, item.version) if item and not item.has_expired(now) else Value(None)


def _raise_conflict(commit: Commit, keys: list[StateKey], refused: Refused) -> None:
    """Raise Conflict where a value was refused that the handler had read; the marker's place comes before theirs."""
    for position in refused.positions:
        if keys[position - 1] in commit.reads:
            raise Conflict(f"{keys[position - 1].key!r} changed") from refused
