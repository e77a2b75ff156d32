"""Which of many subscriptions an event concerns, at a cost that does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from .buckets import Buckets, Found
    from .filters import TopicFilters
    from .match import Pattern
    from .topics import Topic

K = TypeVar("K", bound=Hashable)
Captures = Mapping[str, str]
Answer = tuple[tuple[K, Captures], ...]

NOTHING_CAPTURED: Final[Captures] = MappingProxyType({})
# Answers are remembered until they hold this many keys in all, an answer counting as sixteen more.
MOST_REMEMBERED: Final = 2**18
LONGEST_REMEMBERED: Final = 256  # characters of a topic


class _Answers(dict[Any, Answer[K]]):
    """Answers by what was asked, worked out when it is asked first and kept while there is room.

    Asked is a topic (or None), or a tuple of that and what the buckets found.
    """

    __slots__ = ("_answer", "_room")

    def __init__(self, answer: Callable[[str | None, Found], Answer[K]]) -> None:
        super().__init__()
        self._answer = answer
        self._room = MOST_REMEMBERED

    def __missing__(self, asked: Any) -> Answer[K]:
        topic, found = asked if isinstance(asked, tuple) else (asked, ())
        answer = self._answer(topic, found)
        if topic is None or len(topic) <= LONGEST_REMEMBERED:
            self._room -= len(answer) + 16
            if self._room < 0:
                self.clear()
            self[asked] = answer
        return answer

    def clear(self) -> None:
        super().clear()
        self._room = MOST_REMEMBERED


class Index(Generic[K]):
    """Patterns and topics, each under a key of the caller's.

    Threads may match at the same time. To change an index that others read, build a new one and put it in its place.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._number_of: dict[K, int] = {}
        self._keys: dict[int, K] = {}
        self._patterns: dict[int, Pattern] = {}
        self._topics: dict[int, Topic] = {}
        self._buckets: Buckets | None = None
        self._filters: TopicFilters | None = None
        self._answers = _Answers(self._answer)

    def add(self, key: K, pattern: Pattern) -> None:
        """Let `key` match the events that `pattern` matches; raises ValueError if the key is there already."""
        from .buckets import Buckets

        number = self._enter(key)
        self._patterns[number] = pattern
        self._buckets = self._buckets or Buckets()
        self._buckets.add(number, pattern)

    def add_topic(self, key: K, topic: Topic) -> None:
        """Let `key` match the topics that `topic` matches; raises ValueError if the key is there already."""
        from .filters import TopicFilters

        number = self._enter(key)
        self._topics[number] = topic
        self._filters = self._filters or TopicFilters()
        self._filters.add(number, topic)

    def remove(self, key: K) -> None:
        """Forget `key`; raises KeyError if it is not there."""
        number = self._number_of.pop(key)
        del self._keys[number]
        self._answers.clear()
        if self._filters and number in self._topics:
            self._filters.remove(number, self._topics.pop(number))
        if self._buckets and number in self._patterns:
            self._buckets.remove(number, self._patterns.pop(number))

    @property
    def paths(self) -> frozenset[str]:
        """The dotted paths of the fields its patterns look at: what `pruned.decoder` has to keep of an event."""
        return self._buckets.paths if self._buckets else frozenset()

    def kinds(self, beginnings: Mapping[str, str] = NOTHING_CAPTURED) -> dict[str, Any]:
        """What a fingerprint can hold of these fields, for `fingerprint.decoder`.

        `beginnings` are what some of them are known to begin with, as texts that no event lacks: none is left in
        but for those that its patterns tell apart all the same.
        """
        from .fingerprint import kinds

        return kinds(self._patterns.values(), beginnings)

    @property
    def deciding(self) -> frozenset[str]:
        """The few of `paths` that `may_match` looks at."""
        return self._buckets.deciding if self._buckets else frozenset()

    def may_match(self, event: Mapping[str, Any]) -> bool:
        """Whether any pattern can match an event of which `event` may hold no more than the paths in `deciding`.

        Where most events concern nobody, it pays to decode and ask that much first.
        """
        return self._buckets.may_match(event) if self._buckets else False

    def match(self, event: Mapping[str, Any], topic: str | None = None) -> Answer[K]:
        """The keys whose pattern matches `event` or whose topic matches `topic`, in the order they were added.

        Each comes with what its topic template captured, `{}` for a pattern. Events that match the same get the very
        same tuple, as long as it is remembered and the index stays as it is.
        """
        found = self._buckets.matching(event) if self._buckets else ()
        return self._answers[(topic, found) if found else topic]

    @property
    def match_topic(self) -> Callable[[str], Answer[K]]:
        """A function that says the same of a topic alone, and goes on to when the index changes.

        For a topic it remembers it is a dictionary's own look-up, which takes less than to call any Python function.
        """
        return self._answers.__getitem__

    def _answer(self, topic: str | None, found: Found) -> Answer[K]:
        matches = [] if self._filters is None or topic is None else self._filters.matching(topic)
        if self._buckets is not None and found:
            matches += [(number, NOTHING_CAPTURED) for number in self._buckets.numbers(found)]
        matches.sort()  # by number: no two have the same
        keys = self._keys
        return tuple([(keys[number], captured) for number, captured in matches]) if matches else ()

    def _enter(self, key: K) -> int:
        if key in self._number_of:
            raise ValueError(f"{key!r} is in the index already")
        number = next(self._numbers)
        self._number_of[key] = number
        self._keys[number] = key
        self._answers.clear()
        return number
