"""Many conditions on one value at once: what a look-up can tell is looked up, and only the rest is tried one by one."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .operators import AnyCase, Exactly, Operator, Part, Present, Text, identity

Lengths = defaultdict[int, defaultdict[str, int]]


class Conditions:
    """Conditions, each with a mask of those who set it."""

    __slots__ = ("_any_case", "_exact", "_prefixes", "_present", "_rest", "_suffixes", "count")

    def __init__(self) -> None:
        self._exact: defaultdict[Any, int] = defaultdict(int)
        self._any_case: defaultdict[str, int] = defaultdict(int)
        self._prefixes: Lengths = defaultdict(_masks)
        self._suffixes: Lengths = defaultdict(_masks)
        self._rest: defaultdict[Operator, int] = defaultdict(int)
        self._present = 0
        self.count = 0

    def add(self, operator: Operator, mask: int) -> None:
        """Let those in `mask` set this condition too."""
        self.count += 1
        if isinstance(operator, Exactly):
            self._exact[identity(operator.value)] |= mask
        elif isinstance(operator, Text) and operator.prefix is not None:
            self._prefixes[len(operator.prefix)][operator.prefix] |= mask
        elif isinstance(operator, Text) and operator.suffix is not None:
            self._suffixes[len(operator.suffix)][operator.suffix] |= mask
        elif isinstance(operator, AnyCase) and operator.part is Part.WHOLE and operator.text.isascii():
            self._any_case[operator.text.lower()] |= mask
        elif isinstance(operator, Present):
            self._present |= mask
        else:
            self._rest[operator] |= mask

    def accepting(self, value: Any) -> int:
        """The mask of those with a condition that accepts this scalar."""
        mask = self._present | self._exact.get(identity(value), 0)
        if isinstance(value, str):
            mask |= self._accepting_text(value)
        for operator, those in self._rest.items():
            if operator.accepts(value):
                mask |= those
        return mask

    def _accepting_text(self, text: str) -> int:
        mask = self._any_case.get(text.lower(), 0) if self._any_case and text.isascii() else 0
        for length, prefixes in self._prefixes.items():
            mask |= prefixes.get(text[:length], 0)
        for length, suffixes in self._suffixes.items():
            mask |= suffixes.get(text[len(text) - length :], 0) if length <= len(text) else 0
        return mask


def _masks() -> defaultdict[str, int]:
    return defaultdict(int)
