"""Which of many subscriptions an event concerns, at a cost that does not grow with their number."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import count
from typing import Any, Generic, TypeVar

from botplatform.patterns.buckets import Buckets
from botplatform.patterns.match import Pattern
from botplatform.patterns.topics import Topic
from botplatform.patterns.trie import TopicTrie

K = TypeVar("K", bound=Hashable)


class Index(Generic[K]):
    """Patterns and topics, each under a key of the caller's.

    It takes no locks: to change an index that others read, build a new one and put it in its place.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._by_key: dict[K, tuple[int, Pattern | Topic]] = {}
        self._by_number: dict[int, tuple[K, Pattern | Topic]] = {}
        self._buckets = Buckets()
        self._trie = TopicTrie()

    def add(self, key: K, pattern: Pattern) -> None:
        """Let `key` match the events that `pattern` matches; raises ValueError if the key is there already."""
        self._buckets.add(self._enter(key, pattern), pattern)

    def add_topic(self, key: K, topic: Topic) -> None:
        """Let `key` match the topics that `topic` matches; raises ValueError if the key is there already."""
        self._trie.add(self._enter(key, topic), topic)

    def remove(self, key: K) -> None:
        """Forget `key`; raises KeyError if it is not there."""
        number, subject = self._by_key.pop(key)
        del self._by_number[number]
        if isinstance(subject, Topic):
            self._trie.remove(number, subject)
        else:
            self._buckets.remove(number, subject)

    def match(self, event: Mapping[str, Any], topic: str | None = None) -> list[tuple[K, dict[str, str]]]:
        """The keys whose pattern matches `event` or whose topic matches `topic`, in the order they were added.

        Each comes with what its topic template captured, `{}` for a pattern.
        """
        found: dict[int, dict[str, str]] = {number: {} for number in self._buckets.matching(event)}
        if topic is not None:
            found.update(self._captures(topic))
        return [(self._by_number[number][0], found[number]) for number in sorted(found)]

    def _captures(self, topic: str) -> dict[int, dict[str, str]]:
        found = {}
        for number in self._trie.candidates(topic):
            template = self._by_number[number][1]
            if isinstance(template, Topic) and (captures := template.match(topic)) is not None:
                found[number] = captures
        return found

    def _enter(self, key: K, subject: Pattern | Topic) -> int:
        if key in self._by_key:
            raise ValueError(f"{key!r} is in the index already")
        number = next(self._numbers)
        self._by_key[key] = (number, subject)
        self._by_number[number] = (key, subject)
        return number
