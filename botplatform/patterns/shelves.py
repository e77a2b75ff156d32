"""Conjunctions filed by what an event must hold to match them, and found by what one does hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from .fields import Fields
from .masks import Masks
from .match import Conjunction
from .operators import identity
from .places import Place
from .plain import ABSENT, Group, by_parent, check_scalar, scalars_of


class Bucket:
    """The conjunctions filed at one place; their masks are made when the first event comes."""

    __slots__ = ("_decided", "_filed", "_masks")

    def __init__(self, decided: str | None) -> None:
        """Make an empty one; `decided` is the path on which every event that gets here passes."""
        self._decided = decided
        self._filed: defaultdict[int, list[Conjunction]] = defaultdict(list)
        self._masks: Masks | None = None

    def add(self, number: int, conjunction: Conjunction) -> None:
        self._filed[number].append(conjunction)
        self._masks = None

    def remove(self, number: int) -> None:
        del self._filed[number]
        self._masks = None

    def is_empty(self) -> bool:
        return not self._filed

    @property
    def masks(self) -> Masks:
        masks = self._masks
        if masks is None:
            numbered = [(number, one) for number, several in self._filed.items() for one in several]
            masks = self._masks = Masks(numbered, self._decided)
        return masks


Shelf = dict[Hashable, Bucket]  # the buckets of one path, by the identity of the value they are for


class Shelves:
    """All buckets: by path and value, and one for whatever wants no exact value."""

    __slots__ = ("_always", "_groups", "_shelves")

    def __init__(self) -> None:
        self._shelves: dict[str, Shelf] = {}
        self._always = Bucket(None)
        self._groups: list[Group[Shelf]] | None = None

    @property
    def deciding(self) -> frozenset[str] | None:
        """The paths by which it is found that nothing matches; None if something is held against every event."""
        return frozenset(self._shelves) if self._always.is_empty() else None

    def add(self, place: Place | None, number: int, conjunction: Conjunction) -> None:
        """File `conjunction`, of the pattern with this number, at `place`."""
        if place is None:
            self._always.add(number, conjunction)
            return
        path, value = place
        if path not in self._shelves:
            self._shelves[path] = {}
            self._groups = None
        self._shelves[path].setdefault(value, Bucket(path)).add(number, conjunction)

    def remove(self, place: Place | None, number: int) -> None:
        """Take out what is filed for a number at `place`."""
        if place is None:
            self._always.remove(number)
            return
        path, value = place
        shelf = self._shelves[path]
        shelf[value].remove(number)
        if shelf[value].is_empty():
            del shelf[value]
        if not shelf:
            del self._shelves[path]
            self._groups = None

    def met(self, event: dict[str, Any]) -> list[Bucket]:
        """The buckets in which a plain event may match something; raises NotPlain if `met_by` has to be asked."""
        groups = self._groups
        if groups is None:
            groups = self._groups = by_parent(self._shelves)
        met = [] if self._always.is_empty() else [self._always]
        for keys, shelves in groups:
            node: Any = event
            for key in keys:
                node = node.get(key)
                if type(node) is not dict:
                    if node is not None:
                        check_scalar(node)
                    break
            else:
                for name, shelf in shelves:
                    value = node.get(name, ABSENT)
                    if type(value) is str:
                        if value in shelf:
                            met.append(shelf[value])
                    elif value is not ABSENT:
                        met += _met(shelf, scalars_of(value))
        return met

    def met_by(self, fields: Fields) -> Iterator[Bucket]:
        """The same for an event laid out flat, whatever is in it."""
        if not self._always.is_empty():
            yield self._always
        for path, values in fields.items():
            if path in self._shelves:
                yield from _met(self._shelves[path], (value for value, _ in values))


def _met(shelf: Shelf, scalars: Iterable[Any]) -> list[Bucket]:
    return [shelf[value] for value in set(map(identity, scalars)) if value in shelf]
