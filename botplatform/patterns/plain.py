"""Plain events, where a path leads to one place at most: objects in objects, without dots in keys that matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from .fields import inner_paths

ABSENT: Final = object()  # stands for the value of a field that has none
T = TypeVar("T")
Keys = tuple[str, ...]
Group = tuple[Keys, list[tuple[str, T]]]


class NotPlain(Exception):
    """A path leads to more than one place: there are arrays, or keys with dots in them, on the way."""


def by_parent(columns: Mapping[str, T]) -> list[Group[T]]:
    """What is known of some paths, by the keys that lead to the object each ends in: `[(("a", "b"), [("c", …)])]`."""
    groups: defaultdict[Keys, list[tuple[str, T]]] = defaultdict(list)
    for path, column in columns.items():
        *keys, name = path.split(".")
        groups[tuple(keys)].append((name, column))
    return list(groups.items())


def check_scalar(node: Any) -> None:
    """Raise NotPlain unless `node`, found where an object was expected, is a scalar, or nothing at all."""
    if isinstance(node, list | tuple | Mapping):
        raise NotPlain


def scalars_of(value: Any) -> Sequence[Any]:
    """The scalars that a field of a plain event holds: itself, those of an array, or none."""
    if isinstance(value, list | tuple):
        for item in value:
            check_scalar(item)
        return value
    return () if value is ABSENT or isinstance(value, Mapping) else (value,)


def dotted_names(paths: Iterable[str]) -> dict[Keys, set[str]]:
    """The names with dots in them that lead to some paths as well, by the keys of the object they would be in."""
    names: defaultdict[Keys, set[str]] = defaultdict(set)
    for path in [*paths, *inner_paths(paths)]:
        keys = path.split(".")
        for depth in range(len(keys) - 1):
            names[tuple(keys[:depth])].add(".".join(keys[depth:]))
    return names


class Dots:
    """The keys with dots in them that would lead to some paths as well."""

    __slots__ = ("_groups",)

    def __init__(self, paths: Iterable[str]) -> None:
        self._groups = [(keys, frozenset(dotted)) for keys, dotted in dotted_names(paths).items()]

    def checked(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event; raises NotPlain if it has such a key."""
        if type(event) is not dict:
            raise NotPlain
        for keys, dotted in self._groups:
            node: Any = event
            for key in keys:
                node = node.get(key)
                if type(node) is not dict:
                    break
            else:
                if not dotted.isdisjoint(node):
                    raise NotPlain
        return event
