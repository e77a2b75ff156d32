"""Which of many subscriptions an event concerns, at a cost that does not grow with their number."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
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
        self._number_of: dict[K, int] = {}
        self._keys: dict[int, K] = {}
        self._patterns: dict[int, Pattern] = {}
        self._topics: dict[int, Topic] = {}
        self._buckets: Buckets | None = None
        self._trie: TopicTrie | None = None

    def add(self, key: K, pattern: Pattern) -> None:
        """Let `key` match the events that `pattern` matches; raises ValueError if the key is there already."""
        from botplatform.patterns.buckets import Buckets

        number = self._enter(key)
        self._patterns[number] = pattern
        self._buckets = self._buckets or Buckets()
        self._buckets.add(number, pattern)

    def add_topic(self, key: K, topic: Topic) -> None:
        """Let `key` match the topics that `topic` matches; raises ValueError if the key is there already."""
        from botplatform.patterns.trie import TopicTrie

        number = self._enter(key)
        self._topics[number] = topic
        self._trie = self._trie or TopicTrie()
        self._trie.add(number, topic)

    def remove(self, key: K) -> None:
        """Forget `key`; raises KeyError if it is not there."""
        number = self._number_of.pop(key)
        del self._keys[number]
        if self._trie and number in self._topics:
            self._trie.remove(number, self._topics.pop(number))
        if self._buckets and number in self._patterns:
            self._buckets.remove(number, self._patterns.pop(number))

    def match(self, event: Mapping[str, Any], topic: str | None = None) -> list[tuple[K, dict[str, str]]]:
        """The keys whose pattern matches `event` or whose topic matches `topic`, in the order they were added.

        Each comes with what its topic template captured, `{}` for a pattern.
        """
        found: dict[int, dict[str, str]] = {}
        if self._buckets:
            found.update((number, {}) for number in self._buckets.matching(event))
        if self._trie and topic is not None:
            candidates = ((number, self._topics[number].match(topic)) for number in self._trie.candidates(topic))
            found.update((number, captured) for number, captured in candidates if captured is not None)
        return [(self._keys[number], found[number]) for number in sorted(found)]

    def _enter(self, key: K) -> int:
        if key in self._number_of:
            raise ValueError(f"{key!r} is in the index already")
        number = next(self._numbers)
        self._number_of[key] = number
        self._keys[number] = key
        return number
