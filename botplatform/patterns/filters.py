"""Which of many topic filters a topic matches, however many filters there are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from .topics import ONE_LEVEL, REMAINING_LEVELS, Topic

# For topics of up to so many levels it is remembered which filters may match them.
MOST_LEVELS: Final = 64
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class _Captures:
    """Where in a topic the names of a template stand."""

    __slots__ = ("_levels", "_remaining")

    def __init__(self, topic: Topic) -> None:
        named = [(level.name, position) for position, level in enumerate(topic.parts) if level.name]
        self._remaining = named.pop() if topic.parts[-1].name and topic.levels[-1] == REMAINING_LEVELS else None
        self._levels = named

    def of(self, levels: list[str]) -> Mapping[str, str] | None:
        """What they stand for; None if nothing is left for the last of them."""
        captured = {name: levels[position] for name, position in self._levels}
        if self._remaining:
            name, position = self._remaining
            if len(levels) <= position:
                return None
            captured[name] = "/".join(levels[position:])
        return MappingProxyType(captured)


_Filters = dict[int, _Captures | None]
"""The same filters, by their numbers."""
_Key = Callable[[Sequence[str]], Hashable]
_Look = tuple[_Key, dict[Hashable, _Filters]]
"""What to make of the levels of a topic, and the filters by that."""


class _Shape:
    """Filters whose wildcards are in the same places, by their other levels: one look-up finds those that fit a topic.

    `levels` are those of such a filter, but for a # at the end, with which it is `open`.
    """

    __slots__ = ("_begins", "_length", "_open", "filters", "key")

    def __init__(self, levels: Sequence[str], open: bool) -> None:
        places = [place for place, level in enumerate(levels) if level != ONE_LEVEL]
        self._begins = 0 in places
        self._length = len(levels)
        self._open = open
        self.key: _Key = itemgetter(*places) if places else _nothing
        self.filters: dict[Hashable, _Filters] = {}

    def fits(self, length: int, hidden: bool) -> bool:
        """Whether topics with so many levels may match; those that begin with $ are `hidden` from wildcards there."""
        return (length == self._length or (self._open and length > self._length)) and (self._begins or not hidden)


class TopicFilters:
    """Numbered topic filters, each shape of them at the cost of one look-up: people write filters in few shapes."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[bool, ...], _Shape] = {}
        self._looks: dict[tuple[int, bool], list[_Look]] = {}

    def add(self, number: int, topic: Topic) -> None:
        """Put in the filter of `topic` under `number`."""
        name, levels = _shape_of(topic)
        if name not in self._shapes:
            self._shapes[name] = _Shape(levels, open=name[0])
            self._looks = {}
        shape = self._shapes[name]
        shape.filters.setdefault(shape.key(levels), {})[number] = _Captures(topic) if topic.names else None

    def remove(self, number: int, topic: Topic) -> None:
        """Take out what `add` put in."""
        name, levels = _shape_of(topic)
        filters, key = self._shapes[name].filters, self._shapes[name].key(levels)
        del filters[key][number]
        if not filters[key]:
            del filters[key]

    def matching(self, topic: str) -> list[tuple[int, Mapping[str, str]]]:
        """The numbers of the filters that match `topic`, each with what was captured."""
        levels = topic.split("/")
        asked = len(levels), topic[:1] == "$"
        looks = self._looks.get(asked)
        found: list[tuple[int, Mapping[str, str]]] = []
        for key, filters in self._looks_for(*asked) if looks is None else looks:
            if same := filters.get(key(levels)):
                found += _captured(same, levels)
        return found

    def _looks_for(self, length: int, hidden: bool) -> list[_Look]:
        """Where to look for a topic."""
        looks = [(shape.key, shape.filters) for shape in self._shapes.values() if shape.fits(length, hidden)]
        if length <= MOST_LEVELS:
            self._looks[length, hidden] = looks
        return looks


def _shape_of(topic: Topic) -> tuple[tuple[bool, ...], Sequence[str]]:
    """Whether a filter is open, and which of its levels are wildcards; and its levels without a # at the end."""
    open = topic.levels[-1] == REMAINING_LEVELS
    levels = topic.levels[:-1] if open else topic.levels
    return (open, *(level == ONE_LEVEL for level in levels)), levels


def _captured(filters: _Filters, levels: list[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    for number, captures in filters.items():
        captured = captures.of(levels) if captures else _NOTHING
        if captured is not None:
            yield number, captured


def _nothing(_: Sequence[str]) -> Hashable:
    return ()
