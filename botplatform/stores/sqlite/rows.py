"""Many rows in few statements: for each statement, and each row of `executemany`, other threads take their turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

# So many go into one statement; what is left over goes row by row.
SIZES: Final = (128, 16)


def execute(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> int:
    """Execute a statement for each of many rows of parameters; returns how many rows of the table that changed.

    Where the statement says `VALUES (?, …)`, it is executed for many of them at once.
    """
    if len(rows) < SIZES[-1] or "VALUES (" not in sql:
        return connection.executemany(sql, rows).rowcount if rows else 0
    changed = done = 0
    for size in SIZES:
        while len(rows) - done >= size:
            values = tuple(chain.from_iterable(rows[done : done + size]))
            changed += connection.execute(_for_many(sql, size), values).rowcount
            done += size
    if done < len(rows):
        changed += connection.executemany(sql, rows[done:]).rowcount
    return changed


@cache
def _for_many(sql: str, count: int) -> str:
    """A statement that takes one row, for so many of them."""
    before, _, rest = sql.partition("VALUES ")
    row, _, behind = rest.partition(")")
    return f"{before}VALUES {', '.join([f'{row})'] * count)}{behind}"
