"""Many rows in few statements do what they do one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from botplatform.stores.sqlite.rows import SIZES, execute

INSERT = "INSERT INTO numbers (number, name) VALUES (?, ?)"
MOST, LEAST = SIZES[0], SIZES[-1]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY, name TEXT NOT NULL, seen DEFAULT 1)")
        yield connection


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY rowid")]


@pytest.mark.parametrize("count", [0, 1, LEAST - 1, LEAST, MOST - 1, MOST, MOST + 1, 3 * MOST + 2 * LEAST + 1])
def test_all_rows_are_inserted_in_their_order(connection: sqlite3.Connection, count: int) -> None:
    assert execute(connection, INSERT, [(number, "x") for number in range(count)]) == count
    assert numbers(connection) == [*range(count)]


def test_rows_that_are_there_already_are_not_counted(connection: sqlite3.Connection) -> None:
    execute(connection, INSERT, [(number, "old") for number in range(0, 2 * MOST, 2)])
    new = [(number, "new") for number in range(2 * MOST)]

    assert execute(connection, f"{INSERT} ON CONFLICT DO NOTHING", new) == MOST
    assert numbers(connection) == [*range(2 * MOST)]


def test_one_row_after_another_is_updated_where_it_is_there_already(connection: sqlite3.Connection) -> None:
    again = f"{INSERT} ON CONFLICT DO UPDATE SET seen = seen + 1"
    execute(connection, again, [(number % 3, "x") for number in range(3 * MOST)])

    assert connection.execute("SELECT number, seen FROM numbers").fetchall() == [(0, MOST), (1, MOST), (2, MOST)]


def test_statements_without_values_go_row_by_row(connection: sqlite3.Connection) -> None:
    execute(connection, INSERT, [(number, "x") for number in range(MOST)])

    assert execute(connection, "DELETE FROM numbers WHERE number = ?", [(number,) for number in range(MOST)]) == MOST
    assert numbers(connection) == []


def test_rows_of_many_take_few_statements(connection: sqlite3.Connection) -> None:
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    execute(connection, INSERT, [(number, "x") for number in range(4 * MOST)])

    assert len(statements) == 4
