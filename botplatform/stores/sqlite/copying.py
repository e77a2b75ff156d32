"""Copies of a database that may be in use: consistent, checked, and on disk before they have their name."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from botplatform.errors import StateUnavailable
from botplatform.stores.sqlite.advice import unavailable

# Between two calls of `progress`: 4 MB.
_PAGES = 1000

Progress = Callable[[int, int], None]


def copy(source: Path, target: Path, progress: Progress = lambda *_: None) -> int:
    """Copy a database as it is at this moment, whoever goes on writing it, and return the bytes of the copy.

    `progress` is called with the pages done and those there are. Raises StateUnavailable, and leaves nothing behind,
    when `target` exists, cannot be written, or would be a copy of something damaged.
    """
    if os.path.exists(target):  # which, unlike the method, takes a name that is too long for one that is free
        raise StateUnavailable(f"{target} is there already: choose another name, or move it away")
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(0o600)
        with closing(open_read_only(source)) as original, closing(sqlite3.connect(partial)) as made:
            _copy_pages(original, made, progress)
            check(made, source)
        move(partial, target)
        return target.stat().st_size
    except sqlite3.Error as error:
        raise unavailable(error) from error
    except OSError as error:
        raise StateUnavailable(f"{target} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _copy_pages(original: sqlite3.Connection, made: sqlite3.Connection, progress: Progress) -> None:
    # A transaction that has read holds on to what it saw; without one, each change would make the copy start over.
    original.execute("BEGIN")
    original.execute("SELECT count(*) FROM sqlite_master").fetchone()
    original.backup(made, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total))
    made.execute("PRAGMA journal_mode = DELETE")


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, not even by tidying up; raises sqlite3.Error."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StateUnavailable, naming `path`, where SQLite finds anything wrong with the whole of a database."""
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise StateUnavailable(f"{path} is damaged: {' '.join(found.split())}")


def move(file: Path, to: Path) -> None:
    """Give a file that is complete its name, so that not even a power failure shows it there incomplete."""
    sync(file)
    file.replace(to)
    sync(to.parent)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def beside(database: Path, what: str, time: float, suffix: str = "") -> Path:
    """The name of a file that is put beside a database: what it is, and since when (Unix time in seconds)."""
    return database.with_name(f"{database.name}.{what}-{datetime.fromtimestamp(time, UTC):%Y%m%dT%H%M%S.%fZ}{suffix}")


def journal(database: Path) -> Path:
    """The file with a database's latest changes.

    SQLite, "Write-Ahead Logging", 2.2: the last connection that closes deletes it, so one that is there while nobody
    has the database open was left by a process that did not come to that.
    """
    return database.with_name(f"{database.name}-wal")
