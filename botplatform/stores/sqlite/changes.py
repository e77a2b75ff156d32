"""The values of the state, and what each commit changed in them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from botplatform.errors import Conflict
from botplatform.state import TOLD_LIMIT, applied, told
from botplatform.store import Change, StateKey, Write
from botplatform.stores.sqlite import rows

READ: Final = "SELECT value, version FROM state WHERE (plugin, key) = (?, ?) AND (expires IS NULL OR expires > ?)"


_Stored = tuple[bytes | None, int, float | None]
"""A value, None where there is none, its version, and the Unix time in seconds when it is over."""

_NOTHING: Final[_Stored] = (None, 0, None)


class Values:
    """Changes values inside a transaction; `clock` gives the Unix time in seconds.

    `version` is that of the latest change.
    """

    def __init__(self, clock: Callable[[], float], version: int) -> None:
        self._clock = clock
        self.version = version

    def draft(self, connection: sqlite3.Connection) -> Draft:
        """What is to become of the values in this transaction."""
        self.version = max(self.version, time.time_ns())
        return Draft(self, connection, self._clock())

    def write(self, connection: sqlite3.Connection, writes: Mapping[StateKey, Write]) -> None:
        """Make the changes."""
        draft = self.draft(connection)
        draft.write(writes)
        draft.save()


class Draft:
    """The values as they are to be: those in the file, and on top of them what was written here and not there yet.

    What a host keeps for itself, under names that begin with "@", is in no history.
    """

    def __init__(self, values: Values, connection: sqlite3.Connection, now: float) -> None:
        self._values = values
        self._connection = connection
        self._now = now
        self._found: dict[StateKey, _Stored] = {}
        self._written: dict[StateKey, _Stored] = {}
        self._history: list[tuple[Any, ...]] = []

    def version(self, key: StateKey) -> int:
        """The version a value has, 0 where there is none."""
        return self._read(key)[1]

    def check(self, reads: Mapping[StateKey, int]) -> None:
        """Raise Conflict unless each value still has the version it was read with."""
        for key, version in reads.items():
            if self._read(key)[1] != version:
                raise changed(key)

    def write(self, writes: Mapping[StateKey, Write]) -> list[Change]:
        """Make all the changes and return what they changed; makes none of them where one raises."""
        written: dict[StateKey, _Stored] = {}
        changes: list[Change] = []
        history: list[tuple[Any, ...]] = []
        version = self._values.version
        for key, write in writes.items():
            own = key.plugin.startswith("@")
            before = _NOTHING if own and write.kind in ("put", "delete") else self._read(key)
            if write.kind == "create" and before[0] is not None:
                continue
            version += 1
            written[key] = after = _after(before, write, version)
            json_before, json_after = before[0], after[0]
            if not own and json_before != json_after:
                changes.append(Change._make((key, json_before, json_after, True)))
                history.append((version, *key, *_kept(json_before, json_after), self._now))
        self._written |= written
        self._history += history
        self._values.version = version
        return changes

    def save(self) -> None:
        """Put what was written into the file, and what that changed into the history."""
        puts = [(*key, *value) for key, value in self._written.items() if value[0] is not None]
        gone = [key for key, value in self._written.items() if value[0] is None]
        rows.execute(self._connection, _PUT, puts)
        rows.execute(self._connection, _DELETE, gone)
        rows.execute(self._connection, _CHANGE, self._history)

    def _read(self, key: StateKey) -> _Stored:
        known = self._written.get(key) or self._found.get(key)
        if known is None:
            row = self._connection.execute(_READ, (*key, self._now)).fetchone()
            known = self._found[key] = row or _NOTHING
        return known


def changed(key: StateKey) -> Conflict:
    """That a value is not what it was."""
    return Conflict(f"{key.key!r} changed")


def _after(before: _Stored, write: Write, version: int) -> _Stored:
    """What a value becomes by a change."""
    if write.kind == "delete":
        return _NOTHING
    if write.kind == "put":
        return write.json, version, write.expires
    return applied(before[0], write), version, write.expires if before[0] is None else before[2]


def _kept(before: bytes | None, after: bytes | None) -> tuple[bytes | None, bytes | None, int | None]:
    """The columns before, after and size."""
    if len(before or b"") > TOLD_LIMIT or len(after or b"") > TOLD_LIMIT:
        return None, None, len(after or b"")
    return before, after, None


def shown(row: Any) -> dict[str, Any]:
    """A row (plugin, key, before, after, size) as the log shows it."""
    plugin, key, before, after, size = row
    if size is not None:
        return {"plugin": plugin, "key": key, "size": size}
    return told(Change(StateKey(plugin, key), before, after))


_READ = "SELECT value, version, expires FROM state WHERE (plugin, key) = (?, ?) AND (expires IS NULL OR expires > ?)"
_PUT = "INSERT OR REPLACE INTO state (plugin, key, value, version, expires) VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM state WHERE (plugin, key) = (?, ?)"
_CHANGE = "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)"
