"""The values of the state, and what each commit changed in them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from botplatform.errors import Conflict
from botplatform.state import TOLD_LIMIT, applied, told
from botplatform.store import Change, StateKey, Write

READ: Final = "SELECT value, version FROM state WHERE (plugin, key) = (?, ?) AND (expires IS NULL OR expires > ?)"


class Values:
    """Checks and changes values inside a transaction; `clock` gives the Unix time in seconds.

    `version` is that of the latest change. What a host keeps for itself, under names that begin with "@", is in no
    history.
    """

    def __init__(self, clock: Callable[[], float], version: int) -> None:
        self._clock = clock
        self.version = version

    def check(self, connection: sqlite3.Connection, reads: Mapping[StateKey, int]) -> None:
        """Raise Conflict unless each value still has the version it was read with."""
        now = self._clock()
        for key, version in reads.items():
            row = connection.execute(READ, (*key, now)).fetchone()
            if (row[1] if row else 0) != version:
                raise Conflict(f"{key.key!r} changed")

    def write(self, connection: sqlite3.Connection, writes: Mapping[StateKey, Write]) -> list[Change]:
        """Make the changes and return what they changed."""
        now = self._clock()
        changes, rows = [], []
        for key, write in writes.items():
            change = self._apply(connection, key, write, now)
            if change and change.before != change.after:
                changes.append(change)
                rows.append((self.version, *key, *_kept(change), now))
        connection.executemany("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return changes

    def _apply(self, connection: sqlite3.Connection, key: StateKey, write: Write, now: float) -> Change | None:
        """Change one value and return what that changed, unless it belongs to a host."""
        in_history = not key.plugin.startswith("@")
        looks = in_history or write.kind not in ("put", "delete")
        row = connection.execute(READ, (*key, now)).fetchone() if looks else None
        before = row[0] if row else None
        if write.kind == "create" and before is not None:
            return None
        after = None if write.kind == "delete" else applied(None if write.kind == "put" else before, write)
        self.version = max(self.version + 1, time.time_ns())
        if after is None:
            connection.execute("DELETE FROM state WHERE (plugin, key) = (?, ?)", key)
        elif before is None or write.kind == "put":
            connection.execute(_PUT, (*key, after, self.version, write.expires))
        else:
            connection.execute(_CHANGE, (after, self.version, *key))
        return Change(key, before, after) if in_history else None


def _kept(change: Change) -> tuple[bytes | None, bytes | None, int | None]:
    """The columns before, after and size."""
    if max(len(change.before or b""), len(change.after or b"")) > TOLD_LIMIT:
        return None, None, len(change.after or b"")
    return change.before, change.after, None


def shown(row: Any) -> dict[str, Any]:
    """A row (plugin, key, before, after, size) as the log shows it."""
    plugin, key, before, after, size = row
    if size is not None:
        return {"plugin": plugin, "key": key, "size": size}
    return told(Change(StateKey(plugin, key), before, after))


_PUT = "INSERT OR REPLACE INTO state (plugin, key, value, version, expires) VALUES (?, ?, ?, ?, ?)"
_CHANGE = "UPDATE state SET value = ?, version = ? WHERE (plugin, key) = (?, ?)"
