"""Calls of `SqliteStore.submit` inside one transaction: together where that goes well, else commit by commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from botplatform.store import Commit, Committed
from botplatform.stores.sqlite.group import Call, Group, Parts, Result, outcome_in
from botplatform.stores.sqlite.savepoints import undo, undone_if_it_fails


class Commits:
    """Applies commits, with the `parts` that groups are made with.

    That work was done before is rare, so its marker is not looked for, unless the commit says that there is one: it is
    in the way when the group's own are written, and then all is decided once more, by a group that knows what is done.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def apply(
        self, connection: sqlite3.Connection, calls: Sequence[Sequence[Commit]], first: bool
    ) -> list[list[Result]]:
        """Apply the commits of all calls, in their order, and return what came of each: an `Apply` for the writer."""
        results = undone_if_it_fails(connection, partial(self._together, calls, first), first)
        if isinstance(results, Exception):
            return [self._singly(connection, call) for call in calls]
        return results

    def _together(
        self, calls: Sequence[Sequence[Commit]], first: bool, connection: sqlite3.Connection
    ) -> list[list[Result]]:
        commits = [commit for call in calls for commit in call]
        group = self._informed(connection, [commit for commit in commits if commit.outcome.duplicate])
        results = _decided(group, calls)
        if not group.save(expected=True):
            undo(connection, first)
            group = self._informed(connection, commits)
            results = _decided(group, calls)
            group.save(expected=False)
        return results

    def _singly(self, connection: sqlite3.Connection, call: Sequence[Commit]) -> list[Result]:
        """Apply each of a call's commits on its own: what SQLite has against one is not the fault of the others."""
        progress = Call(call)
        return [
            progress.after(commit, undone_if_it_fails(connection, partial(self._alone, commit, progress)))
            for commit in call
        ]

    def _alone(self, commit: Commit, progress: Call, connection: sqlite3.Connection) -> Committed:
        group = self._informed(connection, [commit])
        result = group.decide(commit, progress)
        if isinstance(result, Exception):
            raise result
        group.save(expected=False)
        return result

    def _informed(self, connection: sqlite3.Connection, commits: Sequence[Commit]) -> Group:
        """A group that knows which of these commits' work is done."""
        found = {commit.work: outcome_in(connection, commit.work) for commit in commits}
        return Group(connection, self._parts, {work: outcome for work, outcome in found.items() if outcome})


def _decided(group: Group, calls: Sequence[Sequence[Commit]]) -> list[list[Result]]:
    progress = [Call(call) for call in calls]
    return [[group.decide(commit, own) for commit in call] for call, own in zip(calls, progress, strict=True)]
