"""Where a pattern is best filed: at exact values, one of which an event needs to match it, that few events have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Final

from .fields import uncount
from .match import Conjunction

Place = tuple[str, Hashable]  # a path and the identity of a value there
# Where more of the events than this are likely to get, or fewer of the patterns want any value, filing is no gain:
# whatever is filed nowhere is held against each event, all of it at once.
LARGEST_SHARE: Final = 1 / 8
SMALLEST_PART: Final = 1 / 32


class Census:
    """How many conjunctions could be filed at each place and by each path, and how many places each path has."""

    __slots__ = ("_all", "_at", "_by", "_values")

    def __init__(self) -> None:
        self._all = 0
        self._at: Counter[Place] = Counter()
        self._by: Counter[str] = Counter()
        self._values: Counter[str] = Counter()

    def add(self, conjunction: Conjunction) -> None:
        """Count its places once more."""
        self._all += 1
        for path, places in _ways(conjunction):
            self._by[path] += 1
            self._values[path] += sum(place not in self._at for place in places)
            self._at.update(places)

    def remove(self, conjunction: Conjunction) -> None:
        """Count its places once less."""
        self._all -= 1
        for path, places in _ways(conjunction):
            uncount(self._by, path)
            for place in places:
                uncount(self._at, place)
                self._values[path] -= place not in self._at

    def best(self, conjunction: Conjunction) -> list[Place]:
        """The places, all on one path, one of which an event it matches gets to; none if that is no gain.

        A path that many patterns share is best, and one with many values: to look for an event in one place more takes
        longer than to find many patterns in one place.
        """
        telling = [way for way in _ways(conjunction) if self._is_telling(*way)]
        _, places = max(telling, key=lambda way: self._by[way[0]] * self._values[way[0]], default=("", []))
        return places

    def _is_telling(self, path: str, places: list[Place]) -> bool:
        sharing = self._by[path]  # as far as patterns tell, values are as frequent in events as they are in patterns
        return sharing >= SMALLEST_PART * self._all and sum(self._at[p] for p in places) <= LARGEST_SHARE * sharing


def _ways(conjunction: Conjunction) -> list[tuple[str, list[Place]]]:
    """The paths on which it wants exact values, with their places."""
    return [(test.path, [(test.path, value) for value in test.exact]) for test in conjunction.tests if test.is_exact]
