"""Many patterns, each filed under one value it cannot match without, so that an event meets only a few of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from botplatform.patterns.fields import Paths, uncount
from botplatform.patterns.match import Conjunction, FieldTest, Pattern
from botplatform.patterns.operators import identity


class _Any(Enum):
    VALUE = "any value"


Place = tuple[str | None, Hashable]  # a path and an exact value, or any value there, or any event at all
ANY_EVENT: Final[Place] = (None, _Any.VALUE)


class Buckets:
    """Numbered patterns, found by the values of an event."""

    def __init__(self) -> None:
        self._paths = Paths()
        self._mentions: Counter[Place] = Counter()
        self._buckets: defaultdict[Place, list[tuple[int, Conjunction]]] = defaultdict(list)
        self._filed: defaultdict[int, set[Place]] = defaultdict(set)

    def add(self, number: int, pattern: Pattern) -> None:
        """Put in `pattern` under `number`, each of its alternatives where the fewest events will look."""
        self._paths.add(pattern.paths)
        for alternative in pattern.alternatives:
            for place in self._rarest(alternative):
                self._buckets[place].append((number, alternative))
                self._filed[number].add(place)
            self._mentions.update(_mentioned(alternative))

    def remove(self, number: int, pattern: Pattern) -> None:
        """Take out what `add` put in."""
        self._paths.remove(pattern.paths)
        for alternative in pattern.alternatives:
            for mention in _mentioned(alternative):
                uncount(self._mentions, mention)
        for place in self._filed.pop(number):
            self._buckets[place] = [entry for entry in self._buckets[place] if entry[0] != number]
            if not self._buckets[place]:
                del self._buckets[place]

    def matching(self, event: Mapping[str, Any]) -> set[int]:
        """The numbers of the patterns that match `event`."""
        fields = self._paths.read(event)
        places = {ANY_EVENT}
        for path, values in fields.items():
            places.add((path, _Any.VALUE))
            places.update((path, identity(value)) for value, _ in values)
        found: set[int] = set()
        for place in places:
            for number, alternative in self._buckets.get(place, ()):
                if number not in found and alternative.holds(fields):
                    found.add(number)
        return found

    def _rarest(self, alternative: Conjunction) -> list[Place]:
        return min(map(_places, alternative.tests), key=self._crowd)

    def _crowd(self, places: list[Place]) -> tuple[bool, bool, int]:
        """How many events and patterns meet at these places: few exact values, named by few patterns, are best."""
        return (
            ANY_EVENT in places,
            any(value is _Any.VALUE for _, value in places),
            sum(1 + self._mentions[place] for place in places),
        )


def _mentioned(alternative: Conjunction) -> Iterator[Place]:
    for test in alternative.tests:
        yield from _places(test)


def _places(test: FieldTest) -> list[Place]:
    """Where an event must show up for this test to pass: at one of them, whichever way it passes."""
    if test.is_exact:
        return [(test.path, value) for value in test.exact]
    return [ANY_EVENT] if test.may_be_absent else [(test.path, _Any.VALUE)]
