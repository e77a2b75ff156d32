"""The ways to match that are measured: each is held to the same matches in every event."""

from __future__ import annotations

import pytest

from benchmarks import subscriptions
from benchmarks.cloudtrail_events import Trail, varied, wrapped
from benchmarks.measure import Wrong
from botplatform import codec

RECORDS = varied(300)
EVENTS = [wrapped(record) for record in RECORDS]
TRAIL = Trail(RECORDS, EVENTS, [codec.encode(event) for event in EVENTS], "some of ours")
WANTED = [want.of_event() for want in subscriptions.drawn(subscriptions.keyed, RECORDS, 60)]


class Ruler:
    """An event-ruler that says what it is told to."""

    def __init__(self, counts):
        self.counts = counts

    def match(self, events):
        return 0.003 if events == "text" else 0.0015, sum(self.counts)


@pytest.fixture
def field():
    pytest.importorskip("orjson", reason="the yardstick is a peer (benchmarks/README.md)")
    from benchmarks.matching import Field

    return Field(TRAIL, WANTED)


def test_all_ways_find_the_same_and_are_told_with_it(field):
    from benchmarks.matching import DECODED, FROM_BYTES, FUNCTIONS, PATTERNS

    contenders = {contender.name: contender.measure() for contender in [*field.ours(), *field.loops()]}
    matches = sum(field.counts) / len(field.counts)
    assert matches > 0
    for name in (FROM_BYTES, DECODED, FUNCTIONS, PATTERNS):
        assert contenders[name]["matches per event"] == matches


def test_event_ruler_is_told_by_the_event(field):
    from benchmarks.per_event import COST

    text, parsed = field.rulers(Ruler(field.counts))
    assert text.measure()[COST] == pytest.approx(10)
    assert parsed.measure()[COST] == pytest.approx(5)


def test_event_ruler_may_not_match_otherwise(field):
    with pytest.raises(Wrong, match="event-ruler matches other patterns than the index in 300 events"):
        list(field.rulers(Ruler([count + 1 for count in field.counts])))
