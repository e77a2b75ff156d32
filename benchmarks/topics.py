"""Which of many topic filters does a topic match? The index beside paho's matcher, on new topics and on known ones."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from functools import partial
from typing import Any

from paho.mqtt.matcher import MQTTMatcher

from benchmarks.bars import at_most
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.per_event import COST, one_core
from botplatform.patterns.index import Index
from botplatform.patterns.topics import Topic

COUNTS = (10, 100, 1000, 10_000)
TOPICS = 5000
KINDS = ("temperature", "humidity", "door", "power")
PAHO, NEW, KNOWN = "paho's MQTTMatcher", "the index, new topics", "the index, known topics"


def races() -> Iterator[Race]:
    """A race for each number of filters: all topics once, the devices of a site all over it."""
    with one_core():
        for count in COUNTS:
            yield _race(count, random.Random(count))


def _race(count: int, chance: random.Random) -> Race:
    filters, topics = drawn(count, chance)
    index, matcher = _index(filters), _matcher(filters)
    expected = [len(list(matcher.iter_match(topic))) for topic in topics]
    _check(topics, expected, index, matcher)
    total = sum(expected)
    contenders = [
        Contender(PAHO, partial(_measured, lambda topic: list(matcher.iter_match(topic)), topics, total)),
        Contender(NEW, partial(_forgetful, index, topics, total), "with what was captured, as the router gets it"),
        Contender(KNOWN, partial(_measured, index.match_topic, topics, total), f"{TOPICS:,} of them"),
    ]
    return Race(
        f"topics: {count:,} filters, {total / TOPICS:.1f} matches a topic",
        contenders,
        bars=[at_most(NEW, 1, of=PAHO), at_most(KNOWN, 0.1)],
    )


def drawn(count: int, chance: random.Random) -> tuple[list[str], list[str]]:
    """Different filters, as people write them for the devices of many rooms, and different topics of such devices."""
    rooms = max(3, count // 8)
    filters: dict[str, None] = {}
    while len(filters) < count:
        site, room, kind = chance.randrange(4), chance.randrange(rooms), chance.choice(KINDS)
        shapes = (
            f"site{site}/room{room}/{kind}/+",
            f"site{site}/room{room}/#",
            f"+/room{room}/{kind}/+",
            f"site{site}/room{room}/{kind}/device{chance.randrange(50)}",
        )
        filters[chance.choices(shapes, weights=(5, 1, 1, 3))[0]] = None
    topics: dict[str, None] = {}
    while len(topics) < TOPICS:
        site, room, kind = chance.randrange(4), chance.randrange(rooms), chance.choice(KINDS)
        topics[f"site{site}/room{room}/{kind}/device{chance.randrange(2000)}"] = None
    return list(filters), list(topics)


def _index(filters: Sequence[str]) -> Index[str]:
    index: Index[str] = Index()
    for filter in filters:
        index.add_topic(filter, Topic.parse(filter))
    return index


def _matcher(filters: Sequence[str]) -> Any:
    matcher = MQTTMatcher()  # type: ignore[no-untyped-call]
    for filter in filters:
        matcher[filter] = filter
    return matcher


def _check(topics: Sequence[str], expected: Sequence[int], index: Index[str], matcher: Any) -> None:
    for topic, count in zip(topics, expected, strict=True):
        found = {filter for filter, _ in index.match_topic(topic)}
        if found != {*matcher.iter_match(topic)} or len(found) != count:
            raise Wrong(f"{topic} matches {sorted(found)} in the index, and others in paho's matcher")


def _forgetful(index: Index[str], topics: Sequence[str], matches: int) -> Figures:
    """The cost of topics the index has no memory of: it forgets all answers when it changes."""
    index.add_topic("", Topic.parse("changes/the/index"))
    index.remove("")
    return _measured(index.match_topic, topics, matches)


def _measured(look_up: Callable[[str], Sized], topics: Sequence[str], matches: int) -> Figures:
    began = time.process_time()
    found = sum(map(len, map(look_up, topics)))  # a loop in Python takes as long as to look a known topic up
    seconds = time.process_time() - began
    if found != matches:
        raise Wrong(f"{found:,} matches were found, there are {matches:,}")
    return {COST: seconds / len(topics) * 1e6}
