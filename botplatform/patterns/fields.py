"""An event laid out flat, as the service sees it: each value with its dotted path and the array elements it is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import count
from typing import Any, TypeVar

Element = tuple[int, int]  # the number of an array in this event, and an index in it
Membership = tuple[Element, ...]  # the elements around a value, outermost first
Values = list[tuple[Any, Membership]]
Fields = dict[str, Values]
H = TypeVar("H", bound=Hashable)


class Paths:
    """The dotted paths worth reading, counted, so that several patterns can want the same one."""

    __slots__ = ("_inner", "_leaves")

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._leaves: Counter[str] = Counter()
        self._inner: Counter[str] = Counter()
        self.add(paths)

    def add(self, paths: Iterable[str]) -> None:
        """Want these paths once more."""
        for path in paths:
            self._leaves[path] += 1
            self._inner.update(_prefixes(path))

    def remove(self, paths: Iterable[str]) -> None:
        """Want these paths once less."""
        for path in paths:
            uncount(self._leaves, path)
            for prefix in _prefixes(path):
                uncount(self._inner, prefix)

    @property
    def wanted(self) -> frozenset[str]:
        """The paths themselves."""
        return frozenset(self._leaves)

    def read(self, event: Mapping[str, Any]) -> Fields:
        """The values `event` holds at these paths; objects and empty arrays are no values.

        A key with a dot in it is the same as two keys, because the service joins paths with dots.
        """
        fields: Fields = {}
        arrays = count()
        pending = list(self._children("", event, ()))
        for path, value, membership in pending:  # grows while it is walked: events may nest deeper than our stack
            if isinstance(value, Mapping):
                pending.extend(self._children(f"{path}.", value, membership))
            elif isinstance(value, list | tuple):
                array = next(arrays)
                for index, item in enumerate(value):
                    if _is_container(item):
                        pending.append((path, item, (*membership, (array, index))))
                    else:
                        self._keep(fields, path, item, membership)
            else:
                self._keep(fields, path, value, membership)
        return fields

    def _children(
        self, prefix: str, node: Mapping[str, Any], membership: Membership
    ) -> Iterator[tuple[str, Any, Membership]]:
        for key, value in node.items():
            path = prefix + key
            if path in self._leaves or path in self._inner:
                yield path, value, membership

    def _keep(self, fields: Fields, path: str, value: Any, membership: Membership) -> None:
        if path in self._leaves:
            fields.setdefault(path, []).append((value, membership))


def _is_container(value: Any) -> bool:
    return not isinstance(value, str) and isinstance(value, Mapping | list | tuple)


def inner_paths(paths: Iterable[str]) -> set[str]:
    """The paths that lead to these."""
    return {prefix for path in paths for prefix in _prefixes(path)}


def _prefixes(path: str) -> list[str]:
    return [path[:position] for position, character in enumerate(path) if character == "."]


def uncount(counter: Counter[H], key: H) -> None:
    """Count `key` once less, and keep no zeros."""
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
