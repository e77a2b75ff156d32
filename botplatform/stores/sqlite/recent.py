"""The latest done-markers, in memory: most of what comes again comes soon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from botplatform.store import Work

# With what belongs to it, a marker takes about 400 bytes and its reply.
LIMIT: Final = 10_000
REPLY_LIMIT: Final = 1024

Row = tuple[bytes | None, int, float, bytes | None]
"""What a marker's row has of an outcome: reply, attempts, took, suppressed."""


class Recent:
    """Markers by work: of about as many as `limit`, those that were committed or asked for last.

    Safe to use from any thread. There are two halves: when the younger one is full, it takes the place of the older.
    What is asked for in the older one goes on in the younger.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._half = limit // 2
        self._young: dict[Work, Row] = {}
        self._old: dict[Work, Row] = {}
        self.times_forgotten = 0

    def get(self, work: Work) -> Row | None:
        """The marker of some work, None when it is not known."""
        row = self._young.get(work)
        if row is None and (row := self._old.get(work)):
            self._young[work] = row
            self._age()
        return row

    def known(self, works: Iterable[Work]) -> dict[Work, Row]:
        """The markers of some work, as far as they are known."""
        young, old = self._young, self._old  # most is in neither
        found = [work for work in works if work in young or work in old]
        return {work: row for work in found if (row := self.get(work))}

    def add(self, markers: Mapping[Work, Row]) -> None:
        """Remember markers, but for those with a large reply."""
        large = {work for work, (reply, *_) in markers.items() if reply and len(reply) > REPLY_LIMIT}
        self._young |= {work: row for work, row in markers.items() if work not in large} if large else markers
        self._age()

    def forget(self) -> None:
        """Forget all, because some are in the file no more."""
        self.times_forgotten += 1
        self._young, self._old = {}, {}

    def _age(self) -> None:
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
