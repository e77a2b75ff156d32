"""The end of a log, and what is added to it: the same for the log on this machine and for a stage's on AWS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from botplatform.stores.sqlite.log import Log
    from botplatform.stores.sqlite.search import Search

T = TypeVar("T")
# What became of one event, as JSON values; a stage's entries have no `number`, since many machines write them.
Entry = Mapping[str, Any]


class Tail(Protocol[T]):
    """What every log offers to whoever shows it, counts in it, or looks for what to do over.

    A log of events has an Entry for each (`Tail[Entry]`), with the envelope where it is kept; a log of words has lines.
    Whatever reads logs takes a Tail, so that it works here and on AWS. Both methods may raise BotplatformError.
    """

    def latest(self, count: int) -> list[T]:
        """The latest `count`, oldest first."""

    def newer(self) -> list[T]:
        """What came since this or `latest` was asked last, oldest first."""


# How many entries back an event may be that fits a search only later, when it was given up or done.
_LATER = 1000


class LocalEvents:
    """The events in the database of a platform on this machine, or those of them that are searched for."""

    def __init__(self, log: Log, search: Search) -> None:
        self._log = log
        self._search = search
        self._behind = 0
        self._seen: set[int] = set()

    def latest(self, count: int) -> list[Entry]:
        """The latest events."""
        newest = self._log.events(limit=1, newest_first=True)
        end = newest[0]["number"] + 1 if newest else 1
        self._look_behind(end - 1)
        known = self._log.events(after=self._behind, limit=_LATER, search=self._search, before=end)
        self._seen = {entry["number"] for entry in known}
        return list(self._log.events(limit=count, newest_first=True, search=self._search, before=end)[::-1])

    def newer(self) -> list[Entry]:
        """The events since then, and those that fit the search since then; up to a thousand at a time."""
        found = self._log.events(after=self._behind, limit=2 * _LATER, search=self._search)
        fresh = [entry for entry in found if entry["number"] not in self._seen]
        self._look_behind(found[-1]["number"] if found else 0)
        self._seen = {entry["number"] for entry in found if entry["number"] > self._behind}
        return list(fresh)

    def _look_behind(self, newest: int) -> None:
        """Go on behind what was seen; where something is searched for, some way before."""
        self._behind = max(self._behind, newest - (_LATER if any(self._search) else 0))


class LocalLines:
    """The lines in a file that is replaced by a new one when it is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def latest(self, count: int) -> list[str]:
        """The latest lines of the file there is now."""
        lines = self._rest()
        return lines[-count:] if count else []

    def newer(self) -> list[str]:
        """The lines since then, through the change of the file."""
        lines = self._rest()
        if self._replaced():
            self._file.close()
            self._file = self._path.open("rb")
            lines += self._rest()
        return lines

    def _replaced(self) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False  # it is about to be there

    def _rest(self) -> list[str]:
        """The whole lines that follow; half a line waits for its other half."""
        lines = []
        while (line := self._file.readline()).endswith(b"\n"):
            lines.append(line[:-1].decode(errors="replace"))
        self._file.seek(-len(line), 1)
        return lines
