"""What SQLite has against something, and what to do about it."""

from __future__ import annotations

import sqlite3

from botplatform.errors import StateUnavailable


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is no sound database."""
    # Extended codes have the plain one in their lowest byte; an error of Python's own module has none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def unavailable(error: sqlite3.Error) -> StateUnavailable:
    """What SQLite says, as a sentence that says what to do."""
    text = str(error)
    for known, advice in _ADVICE.items():
        if known in text:
            return StateUnavailable(f"the state cannot be written: {text} ({advice})")
    return StateUnavailable(f"the state cannot be used: {text}")


_DAMAGED = "it is damaged: the next start saves what can be saved, or restore a backup with `botplatform restore`"
_CHOOSE = "make the state folder writable, or choose another with BOTPLATFORM_STATE"
_ADVICE = {
    "disk is full": "make room on its disk",
    "readonly": _CHOOSE,
    "unable to open": _CHOOSE,
    "disk I/O error": "look at the disk",
    "locked": "another program holds the file",
    "malformed": _DAMAGED,
    "not a database": _DAMAGED,
}
