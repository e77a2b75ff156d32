"""Which of many patterns does an event match? The index beside AWS's event-ruler, and loops over predicates."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from benchmarks import event_ruler, subscriptions
from benchmarks.bars import Bar, at_most
from benchmarks.cloudtrail_events import Trail, trail
from benchmarks.event_ruler import ABSENT, EventRuler
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.per_event import PASSES, figures, measured, one_core
from benchmarks.predicates import predicate
from benchmarks.yardstick import is_there, loading, unmeasured
from botplatform.patterns.index import Index
from botplatform.patterns.match import Pattern
from botplatform.patterns.parse import compile
from botplatform.patterns.pruned import decoder

FROM_BYTES, DECODED = "the index, from bytes", "the index, decoded events"
RULER_TEXT, RULER_PARSED = "event-ruler, from text", "event-ruler, parsed events"
FUNCTIONS, PATTERNS = "a loop of functions", "a loop of Pattern.matches"
# A loop over 10,000 patterns takes milliseconds an event: it gets every hundredth.
SAMPLE = 100
FEWEST, MOST = subscriptions.COUNTS[0], subscriptions.COUNTS[-1]


class Mix(NamedTuple):
    """A mix of subscriptions, and how many times as fast as event-ruler the index has to be at the most of them."""

    title: str
    draw: Callable[[Sequence[dict[str, Any]]], Iterator[subscriptions.Wanted]]
    faster: float


MIXES = (
    Mix("on source and event name", subscriptions.keyed, 5),
    Mix("80 % such, 15 % on error code, 5 % on neither", subscriptions.mixed, 5),
    Mix("all on the 40 busiest calls", subscriptions.busiest, 1.5),
)


def races() -> Iterator[Race]:
    """A race for each mix and number of patterns."""
    if not is_there():
        yield unmeasured("matching")
        return
    events = trail()
    with one_core():
        for mix in MIXES:
            for count in subscriptions.COUNTS:
                with ExitStack() as stack:
                    yield _race(events, mix, count, stack)


def _race(events: Trail, mix: Mix, count: int, stack: ExitStack) -> Race:
    wanted = [want.of_event() for want in subscriptions.drawn(mix.draw, events.records, count)]
    field = Field(events, wanted)
    contenders = [*field.ours(), *field.loops()]
    if event_ruler.is_there():
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        contenders += field.rulers(stack.enter_context(event_ruler.running(wanted, events.bodies, folder)))
    absent = {} if event_ruler.is_there() else {RULER_TEXT: ABSENT, RULER_PARSED: ABSENT}
    title = f"matching: {count:,} patterns, {mix.title} ({events.origin})"
    return Race(title, contenders, absent, list(_bars(mix, count)))


def _bars(mix: Mix, count: int) -> Iterator[Bar]:
    if count in (FEWEST, MOST):
        times = 1 if count == FEWEST else mix.faster
        yield at_most(FROM_BYTES, 1 / times, of=RULER_TEXT)
        yield at_most(DECODED, 1 / times, of=RULER_PARSED)
    if count == MOST:
        yield at_most(DECODED, 1 / 300, of=FUNCTIONS)


class Field:
    """Ways to find the patterns that events match, each held to the same counts for every event."""

    def __init__(self, events: Trail, wanted: Sequence[Mapping[str, Any]]) -> None:
        self.events = events
        self.wanted = wanted
        self.patterns = [compile(pattern) for pattern in wanted]
        self.index = index_of(self.patterns)
        self.counts = [len(self.index.match(event)) for event in events.events]
        self._about = {"patterns": len(wanted), "matches per event": sum(self.counts) / len(self.counts)}

    def ours(self) -> Iterator[Contender]:
        """The yardstick, and the index on bytes and on decoded events."""
        index, decode, bodies = self.index, decoder(self.index.paths), self.events.bodies

        def from_bytes(body: bytes) -> int:
            return len(index.match(decode(body)))

        def decoded(event: Mapping[str, Any]) -> int:
            return len(index.match(event))

        yield loading(self.events)
        yield self._contender(FROM_BYTES, from_bytes, bodies, "decodes what the patterns read, and no more")
        yield self._contender(DECODED, decoded, self.events.events)

    def loops(self) -> Iterator[Contender]:
        """Each pattern asked in turn, on a sample of the decoded events."""
        functions = [predicate(pattern) for pattern in self.wanted]
        matches = [pattern.matches for pattern in self.patterns]
        events, note = self.events.events, f"decoded; one event in {SAMPLE}"
        yield self._contender(FUNCTIONS, partial(_asked, functions), events, note, SAMPLE)
        yield self._contender(PATTERNS, partial(_asked, matches), events, note, SAMPLE)

    def rulers(self, ruler: EventRuler) -> Iterator[Contender]:
        """event-ruler, which has to find what the index found in every event."""
        if ruler.counts != self.counts:
            differing = sum(ours != theirs for ours, theirs in zip(self.counts, ruler.counts, strict=True))
            raise Wrong(f"event-ruler matches other patterns than the index in {differing} events")
        yield Contender(RULER_TEXT, partial(self._ruled, ruler, "text"), "Java, warm, on the same core")
        yield Contender(RULER_PARSED, partial(self._ruled, ruler, "tree"))

    def _contender(
        self, name: str, work: Callable[[Any], int], items: Sequence[Any], note: str = "", every: int = 1
    ) -> Contender:
        items, counts = items[::every], self.counts[::every]
        if [work(item) for item in items] != counts:
            raise Wrong(f"{name} matches other patterns than the index on decoded events")
        passes = PASSES if every == 1 else 1
        return Contender(name, partial(measured, work, items, sum(counts), self._about, passes), note)

    def _ruled(self, ruler: EventRuler, events: Literal["text", "tree"]) -> Figures:
        seconds, found = ruler.match(events)
        return figures(seconds, len(self.counts), found, sum(self.counts), self._about)


def index_of(patterns: Sequence[Pattern]) -> Index[int]:
    """An index of these patterns under their numbers."""
    index: Index[int] = Index()
    for number, pattern in enumerate(patterns):
        index.add(number, pattern)
    return index


def _asked(predicates: Sequence[Callable[[Any], bool]], event: Mapping[str, Any]) -> int:
    return sum([matches(event) for matches in predicates])
