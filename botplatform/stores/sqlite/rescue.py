"""What can be read of a damaged database, put into a new one."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from botplatform import codec
from botplatform.stores.sqlite.copying import journal, move, open_read_only
from botplatform.stores.sqlite.schema import BEGINNING, MIGRATIONS

# SQLite, "Database File Format", 1.3: the header is 100 bytes long; while the 4 at 92 are not those at 24, the size in
# it does not count, and that of the file does.
_HEADER = 100
_VALID_FOR = slice(92, 96)

# The last version whose markers have no numbers.
_UNNUMBERED = 3
_KNOW_MARKED = """INSERT OR IGNORE INTO events (seq, source, id, type, received, verdict, reason)
    SELECT number, source, id, '', -1, 'accepted', '' FROM outcomes GROUP BY number"""
_FORGET_UNKNOWN = """DELETE FROM outcomes AS o
    WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE (e.seq, e.source, e.id) = (o.number, o.source, o.id))"""


class Saved(NamedTuple):
    """How many rows of a table were saved, and whether those are all there were."""

    rows: int
    whole: bool


def rescue(damaged: Path, target: Path) -> Mapping[str, Saved]:
    """Save what can be read of a database, which stays as it is, into a new file; returns what that was, by table.

    A table is read from its beginning up to a place that cannot be read, and then from its end back to one: what lies
    between two such places is lost. What was written before markers had numbers is put into a file of that time. Raises
    sqlite3.Error or OSError when the new file cannot be written.
    """
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(partial, isolation_level=None)) as new,
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
    ):
        new.executescript("".join(MIGRATIONS[:_UNNUMBERED]))
        with closing(_readable(damaged, Path(folder), partial.read_bytes()[:_HEADER])) as old:
            columns = _columns(old, "outcomes")
            version = len(MIGRATIONS) if "number" in columns or not columns else _UNNUMBERED
            new.executescript("".join(MIGRATIONS[_UNNUMBERED:version]) + f"PRAGMA user_version = {version};")
            saved = _save(old, new)
    move(partial, target)
    return saved


def _readable(damaged: Path, folder: Path, header: bytes) -> sqlite3.Connection:
    """A connection to the damaged database or, where SQLite does not take it for one, to a copy with a new header."""
    connection = _connect(damaged)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        copy = Path(shutil.copy(damaged, folder))
        if journal(damaged).exists():
            shutil.copy(journal(damaged), folder)
        with copy.open("r+b") as file:
            file.write(header[: _VALID_FOR.start] + bytes(4) + header[_VALID_FOR.stop :])
        return _connect(copy)
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = open_read_only(path)
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str | None:
    """A text, or None for what is none: the new table refuses its row."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _save(old: sqlite3.Connection, new: sqlite3.Connection) -> Mapping[str, Saved]:
    new.execute("BEGIN")
    new.execute("DELETE FROM changes")
    tables = [name for (name,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    saved = {table: _save_table(table, old, new) for table in tables}
    if not saved["changes"].whole:
        # With gaps in it, nobody can tell what there was before them.
        new.execute("DELETE FROM changes")
        new.execute(BEGINNING, (time.time_ns(),))
        saved["changes"] = Saved(0, whole=False)
    if "number" in _columns(new, "outcomes"):
        # The number of an event whose row is lost would be given to another, which then were done.
        new.execute(_KNOW_MARKED)
        new.execute(_FORGET_UNKNOWN)
    new.execute("COMMIT")
    return saved


def _save_table(table: str, old: sqlite3.Connection, new: sqlite3.Connection) -> Saved:
    known = new.execute(f"PRAGMA table_info({table})").fetchall()
    there = _columns(old, table)
    columns = [name for _, name, *_ in known if name in there]
    if not columns:
        return Saved(0, whole=False)
    select = f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED ORDER BY "
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    key = [name for _, name, *_, place in sorted(known, key=lambda column: int(column[-1])) if place]
    before = new.total_changes
    whole = _insert(new, insert, _Rows(old, select + ", ".join(key)))
    if not whole:
        _insert(new, insert, _Rows(old, select + ", ".join(f"{name} DESC" for name in key)))
    return Saved(new.total_changes - before, whole)


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in _Rows(connection, f"PRAGMA table_info({table})")}


class _Rows:
    """The rows of a query up to its end, or to the first that cannot be read: `whole` says which it was."""

    def __init__(self, connection: sqlite3.Connection, sql: str) -> None:
        self._connection = connection
        self._sql = sql
        self.whole = True

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._connection.execute(self._sql)
        except sqlite3.DatabaseError:
            self.whole = False


def _insert(new: sqlite3.Connection, insert: str, rows: _Rows) -> bool:
    """Insert rows, but for rubbish; whether it was all there was."""
    rubbish = 0
    for row in rows:
        if not (_is_sound(row) and new.execute(insert, row).rowcount):
            rubbish += 1
    return rows.whole and not rubbish


def _is_sound(row: Iterable[Any]) -> bool:
    """Whether all that ought to be JSON is."""
    return all(codec.is_json(value) for value in row if isinstance(value, bytes))
