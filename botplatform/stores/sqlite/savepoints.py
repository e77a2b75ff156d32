"""Changes inside a transaction: one that fails is undone, and leaves the others alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, TypeVar

from botplatform.stores.sqlite import rows
from botplatform.stores.sqlite.advice import is_damage, unavailable

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]
Apply = Callable[[sqlite3.Connection, Sequence[Any], bool], Sequence[Any]]
"""Does several things inside a transaction; returns for each what came of it, or the exception that undid it.

The flag says that nothing was done in the transaction before.
"""


def one_by_one(connection: sqlite3.Connection, changes: Sequence[Change[Any]], first: bool) -> list[Any]:
    """Apply changes one after the other: one that fails is undone and leaves the others alone."""
    return [undone_if_it_fails(connection, change, first and number == 0) for number, change in enumerate(changes)]


@cache
def with_rows(sql: str) -> Apply:
    """What executes a statement for many rows: all at once or, where that fails, one by one."""

    def apply(connection: sqlite3.Connection, each: Sequence[Any], first: bool) -> list[Any]:
        failed = undone_if_it_fails(connection, partial(_executed, sql, each), first)
        if failed:
            return one_by_one(connection, [partial(_executed, sql, [row]) for row in each], first)
        return [None] * len(each)

    return apply


def _executed(sql: str, each: Sequence[Any], connection: sqlite3.Connection) -> None:
    rows.execute(connection, sql, each)


def undone_if_it_fails(connection: sqlite3.Connection, change: Change[T], first: bool = False) -> T | Exception:
    """What a change returns, or the exception it raised; raises sqlite3.Error where the transaction cannot go on.

    For the `first` of a transaction there is no savepoint: for one, SQLite copies each page before it is changed.
    """
    if not first:
        connection.execute("SAVEPOINT change")
    result = outcome_of(change, connection)
    if isinstance(result, Exception):
        if isinstance(result, sqlite3.Error) and is_damage(result):
            raise result
        if not connection.in_transaction:
            raise sqlite3.OperationalError(str(result)) from result  # SQLite gave up the whole transaction
        undo(connection, first)
        ours = isinstance(result, sqlite3.IntegrityError)  # a bug
        result = unavailable(result) if isinstance(result, sqlite3.Error) and not ours else result
    if not first:
        connection.execute("RELEASE change")
    return result


def undo(connection: sqlite3.Connection, first: bool) -> None:
    """Undo what a change did so far, by beginning anew if it is the first of its transaction."""
    if first:
        connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection.execute("ROLLBACK TO change")


def outcome_of(act: Callable[..., T], *arguments: Any) -> T | Exception:
    """What `act` returns, or the exception it raises."""
    try:
        return act(*arguments)
    except Exception as error:  # noqa: BLE001 - handed on to whoever waits for it
        return error
