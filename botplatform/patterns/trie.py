"""Which of many topic filters a topic matches, level by level, however many filters there are."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from .topics import ONE_LEVEL, REMAINING_LEVELS, Topic


class _Captures:
    """Where in a topic the names of a template stand."""

    __slots__ = ("_levels", "_remaining")

    def __init__(self, topic: Topic) -> None:
        named = [(level.name, position) for position, level in enumerate(topic.parts) if level.name]
        self._remaining = named.pop() if topic.parts[-1].name and topic.levels[-1] == REMAINING_LEVELS else None
        self._levels = named

    def of(self, levels: list[str]) -> dict[str, str] | None:
        """What they stand for; None if nothing is left for the last of them."""
        captured = {name: levels[position] for name, position in self._levels}
        if self._remaining:
            name, position = self._remaining
            if len(levels) <= position:
                return None
            captured[name] = "/".join(levels[position:])
        return captured


class _Node:
    __slots__ = ("children", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.here: dict[int, _Captures] = {}


class TopicTrie:
    """Numbered topic filters, level by level."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, number: int, topic: Topic) -> None:
        """Put in the filter of `topic` under `number`."""
        node = self._root
        for level in topic.levels:
            node = node.children.setdefault(level, _Node())
        node.here[number] = _Captures(topic)

    def remove(self, number: int, topic: Topic) -> None:
        """Take out what `add` put in."""
        way = [self._root]
        for level in topic.levels:
            way.append(way[-1].children[level])
        del way[-1].here[number]
        for parent, level, node in reversed(list(zip(way, topic.levels, way[1:], strict=False))):
            if not node.here and not node.children:
                del parent.children[level]

    def matching(self, topic: str) -> Iterator[tuple[int, MappingProxyType[str, str]]]:
        """The numbers of the filters that match `topic`, each with what was captured."""
        levels = topic.split("/")
        for node in self._ends(levels):
            for number, captures in node.here.items():
                captured = captures.of(levels)
                if captured is not None:
                    yield number, MappingProxyType(captured)

    def _ends(self, levels: list[str]) -> list[_Node]:
        """The nodes of the filters that `levels` lead to."""
        nodes, ends = [self._root], []
        hidden = levels[0].startswith("$")  # MQTT 5.0, 4.7.2: no wildcard in first place matches such a topic
        for level in levels:
            further = []
            for node in nodes:
                children = node.children
                if level in children:
                    further.append(children[level])
                if not hidden and level != ONE_LEVEL and ONE_LEVEL in children:
                    further.append(children[ONE_LEVEL])
                if not hidden and level != REMAINING_LEVELS and REMAINING_LEVELS in children:
                    ends.append(children[REMAINING_LEVELS])
            nodes, hidden = further, False
        # A # includes the level above it.
        ends += [node.children[REMAINING_LEVELS] for node in nodes if REMAINING_LEVELS in node.children]
        return ends + nodes
