"""What a host does to its file before it opens it: takes over a restored one, and mends a damaged one."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from botplatform.errors import StateUnavailable
from botplatform.stores.sqlite.advice import is_damage, unavailable
from botplatform.stores.sqlite.copying import Progress, beside, check, copy, journal, move, open_read_only, sync
from botplatform.stores.sqlite.rescue import Saved, rescue
from botplatform.stores.sqlite.schema import MIGRATIONS

logger = logging.getLogger(__name__)

# Beside the file: what is to take its place at the next start, and what is called what it replaced.
_RESTORED: Final = "restore"
_SAVED: Final = "saved"
_REPLACED = {_SAVED: "damaged", _RESTORED: "before-restore"}


def prepare(path: Path) -> None:
    """Make the file ready to be opened; only for who holds the lock of its folder.

    What was given to `restore_at_start` takes its place. After an end that was not clean it is checked; if it is
    damaged, or no database at all, it is set aside and what can be saved takes its place. Raises StateUnavailable when
    the folder cannot be written.
    """
    try:
        for kind in (_SAVED, _RESTORED):
            _take_over(path, kind)
        reason = path.exists() and damage(path, thoroughly=journal(path).exists())
        if reason:
            saved = rescue(path, _beside(path, _SAVED))
            logger.error("%s is damaged (%s): %s", path, reason, told(saved))
            _take_over(path, _SAVED)
    except sqlite3.Error as error:
        raise unavailable(error) from error
    except OSError as error:
        raise StateUnavailable(f"the state {path} cannot be mended: {error.strerror}") from error


def restore_at_start(backup: Path, path: Path, progress: Progress = lambda *_: None) -> int:
    """Have a copy of `backup` take the place of the file at the next `prepare`; returns its size in bytes.

    Raises StateUnavailable for what is no sound state, or that of a newer version.
    """
    _refuse_strange(backup)
    ready = _beside(path, _RESTORED)
    ready.unlink(missing_ok=True)
    return copy(backup, ready, progress)


def damage(path: Path, thoroughly: bool) -> str:
    """What is wrong with a database, empty if nothing is; without `thoroughly`, only whether it can be opened."""
    try:
        with closing(open_read_only(path)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0] if thoroughly else "ok"
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return str(error)
    return "" if found == "ok" else " ".join(found.split())


def told(saved: Mapping[str, Saved]) -> str:
    """How many rows of which table were saved, and of which not all."""
    rows = (f"{table} {found.rows:,}{'' if found.whole else ' (others are lost)'}" for table, found in saved.items())
    return f"rows saved: {', '.join(rows)}"


def _refuse_strange(backup: Path) -> None:
    try:
        with closing(open_read_only(backup)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'outcomes'").fetchone()
            check(connection, backup)
    except sqlite3.Error as error:
        raise StateUnavailable(f"{backup} cannot be restored: {error}") from error
    if not known:
        raise StateUnavailable(f"{backup} cannot be restored: it is no state of botplatform")
    if version > len(MIGRATIONS):
        raise StateUnavailable(f"{backup} was written by a newer botplatform: upgrade before you restore it")


def _take_over(path: Path, kind: str) -> None:
    """Put what is ready in the place of the file, and keep that under another name.

    Each step can be done again: a process that dies in between leaves what is ready, and the next one goes on.
    """
    ready = _beside(path, kind)
    if not ready.exists():
        return
    aside = beside(path, _REPLACED[kind], ready.stat().st_mtime)
    for file, to in ((path, aside), (journal(path), journal(aside))):
        if file.exists():
            file.rename(to)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    sync(path.parent)
    move(ready, path)
    logger.warning("%s was replaced; what it was before is kept as %s", path, aside.name)


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{kind}")
