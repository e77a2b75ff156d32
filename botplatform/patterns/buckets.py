"""Many patterns, each filed where only few events meet it, and held against those that do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

from .fields import Paths
from .masks import Masks
from .match import Pattern
from .places import Census, Place
from .plain import Dots, NotPlain
from .shelves import Shelves

Found = tuple[Any, ...]  # masks and which of their bits hold, by turns; equal for events that match the same


class Buckets:
    """Numbered patterns, found by the values of an event.

    What was added is filed when the next event comes, so that its places are chosen knowing all of it.
    """

    def __init__(self) -> None:
        self._paths = Paths()
        self._census = Census()
        self._shelves = Shelves()
        self._filed: dict[int, set[Place | None]] = {}
        self._waiting: dict[int, Pattern] = {}
        self._filing = Lock()
        self._dots: Dots | None = None

    @property
    def paths(self) -> frozenset[str]:
        """The dotted paths of the fields its patterns look at."""
        return self._paths.wanted

    def add(self, number: int, pattern: Pattern) -> None:
        """Put in `pattern` under `number`."""
        self._paths.add(pattern.paths)
        for alternative in pattern.alternatives:
            self._census.add(alternative)
        self._waiting[number] = pattern
        self._dots = None

    def remove(self, number: int, pattern: Pattern) -> None:
        """Take out what `add` put in."""
        self._paths.remove(pattern.paths)
        for alternative in pattern.alternatives:
            self._census.remove(alternative)
        self._waiting.pop(number, None)
        for place in self._filed.pop(number, ()):
            self._shelves.remove(place, number)
        self._dots = None

    @property
    def deciding(self) -> frozenset[str]:
        """The paths that `may_match` looks at."""
        if self._dots is None:
            self._file()
        deciding = self._shelves.deciding
        return self.paths if deciding is None else deciding

    def may_match(self, event: Mapping[str, Any]) -> bool:
        """Whether any pattern can match `event`, by the fields that decide."""
        dots = self._dots or self._file()
        try:
            return bool(self._shelves.met(dots.checked(event)))
        except NotPlain:
            return any(True for _ in self._shelves.met_by(self._paths.read(event)))

    def matching(self, event: Mapping[str, Any]) -> Found:
        """What matches `event`, for `numbers`; `()` if nothing does."""
        dots = self._dots or self._file()
        found: list[Any] = []
        try:
            plain = dots.checked(event)
            for bucket in self._shelves.met(plain):
                masks = bucket.masks
                if mask := masks.holding(plain):
                    found += masks, mask
        except NotPlain:
            return self._matching_anything(event)
        return tuple(found)

    def numbers(self, found: Found) -> list[int]:
        """The numbers of the patterns in what `matching` found, in order."""
        pairs: Iterable[tuple[Masks, int]] = zip(found[::2], found[1::2], strict=True)
        return sorted({number for masks, mask in pairs for number in masks.numbers(mask)})

    def _matching_anything(self, event: Mapping[str, Any]) -> Found:
        fields = self._paths.read(event)
        held = ((bucket.masks, bucket.masks.holding_among(fields)) for bucket in self._shelves.met_by(fields))
        return tuple(part for masks, mask in held if mask for part in (masks, mask))

    def _file(self) -> Dots:
        """File what waits; the first of several threads does it."""
        with self._filing:
            for number, pattern in self._waiting.items():
                places = self._filed[number] = set()
                for alternative in pattern.alternatives:
                    for place in self._census.best(alternative) or (None,):
                        self._shelves.add(place, number, alternative)
                        places.add(place)
            self._waiting.clear()
            dots = self._dots = Dots(self._paths.wanted)
            return dots
