"""The state as it was, told from what is there now and all that was changed since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botplatform.errors import StateUnavailable
from botplatform.store import StateKey, Value
from botplatform.stores.sqlite.log import NUMBER

Query = Callable[[str, tuple[Any, ...]], list[Any]]


class StateAsOf:
    """The values there were at a version of the state and a Unix time; read like a Store, and never changed.

    A value whose time was over between then and now is not there any more. Raises StateUnavailable for a version whose
    changes are forgotten, and when a value is asked for that was too large to be kept.
    """

    def __init__(self, query: Query, version: int, time: float) -> None:
        self._query = query
        self._version = version
        self._time = time
        if not query("SELECT 1 FROM changes WHERE number <= ? LIMIT 1", (version,)):
            raise StateUnavailable(
                "the state of that time is not kept any more: BOTPLATFORM_LOG_DAYS says for how long"
            )

    def read(self, key: StateKey) -> Value:
        """One value as it was, with the version of that time."""
        for before, size in self._query(_CHANGED_SINCE, (*key, self._version)):
            if size is not None:
                raise StateUnavailable(f"{key.key!r} was too large to be kept as it was")
            return Value(before, self._version if before is not None else 0)
        rows = self._query(_UNCHANGED, (*key, self._time))
        return Value(*rows[0]) if rows else Value(None)

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        """The values of a plugin whose keys begin with `prefix`, in order of their keys."""
        within = (plugin, prefix, prefix + "\U0010ffff")
        for (key,) in self._query(_KEYS, (*within, *within, self._version)):
            value = self.read(StateKey(plugin, key))
            if value.json is not None:
                yield key, value


def as_of(query: Query, source: str, id: str, handler: str = "") -> StateAsOf:
    """The state just before an event was handled, by `handler` or by the first that did; else when it arrived.

    Raises StateUnavailable for an event that is not in the log, or whose changes are forgotten.
    """
    for version, finished in query(_HANDLED, (source, id, handler, handler)):
        if version is None:
            raise StateUnavailable(f"{id} was handled before this version was installed, which keeps what changes")
        return StateAsOf(query, version, finished)
    for (received,) in query("SELECT received FROM log WHERE (source, id) = (?, ?)", (source, id)):
        (version,) = query("SELECT max(number) FROM changes WHERE changed < ?", (received,))[0]
        return StateAsOf(query, version or 0, received)
    raise StateUnavailable(f"{id} of {source} is not in the log")


_CHANGED_SINCE = """SELECT before, size FROM changes WHERE (plugin, key) = (?, ?) AND number > ?
    ORDER BY number LIMIT 1"""
_UNCHANGED = "SELECT value, version FROM state WHERE (plugin, key) = (?, ?) AND (expires IS NULL OR expires > ?)"
_KEYS = """SELECT key FROM state WHERE plugin = ? AND key >= ? AND key < ?
    UNION SELECT key FROM changes WHERE plugin = ? AND key >= ? AND key < ? AND number > ? ORDER BY key"""
_HANDLED = f"""SELECT version_before, finished FROM outcomes WHERE number = ({NUMBER}) AND (? = '' OR handler = ?)
    ORDER BY version_before LIMIT 1"""
