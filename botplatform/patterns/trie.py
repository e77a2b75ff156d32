"""Which of many topic filters a topic can match, level by level, however many filters there are."""

from __future__ import annotations

from collections.abc import Iterator

from botplatform.patterns.topics import ONE_LEVEL, REMAINING_LEVELS, Topic


class _Node:
    __slots__ = ("children", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.here: set[int] = set()

    def ending(self) -> Iterator[int]:
        """The filters that match when the topic ends here: a `#` below includes its parent level."""
        yield from self.here
        yield from self.remaining()

    def remaining(self) -> Iterator[int]:
        if child := self.children.get(REMAINING_LEVELS):
            yield from child.here


class TopicTrie:
    """Numbered topic filters, level by level."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, number: int, topic: Topic) -> None:
        """Put in the filter of `topic` under `number`."""
        node = self._root
        for level in topic.levels:
            node = node.children.setdefault(level, _Node())
        node.here.add(number)

    def remove(self, number: int, topic: Topic) -> None:
        """Take out what `add` put in."""
        way = [self._root]
        for level in topic.levels:
            way.append(way[-1].children[level])
        way[-1].here.remove(number)
        for parent, level, node in reversed(list(zip(way, topic.levels, way[1:], strict=False))):
            if not node.here and not node.children:
                del parent.children[level]

    def candidates(self, topic: str) -> set[int]:
        """The numbers of the filters that may match `topic`; the finer rules are left to `Topic.match`."""
        found: set[int] = set()
        nodes = [self._root]
        for level in topic.split("/"):
            for node in nodes:
                found.update(node.remaining())
            edges = {level, ONE_LEVEL}
            nodes = [node.children[edge] for node in nodes for edge in edges if edge in node.children]
        for node in nodes:
            found.update(node.ending())
        return found
