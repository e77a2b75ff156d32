"""From an EventBridge event's bytes to the handlers it concerns, called: what does it cost with many subscriptions?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks import subscriptions
from benchmarks.bars import Bar, at_most
from benchmarks.cloudtrail_events import Trail, trail
from benchmarks.matching import MIXES, index_of
from benchmarks.measure import Contender, Race, Wrong
from benchmarks.per_event import measured, one_core
from benchmarks.subscriptions import Wanted
from benchmarks.yardstick import YARDSTICK, is_there, loading, unmeasured
from botplatform import codec
from botplatform.event import Event
from botplatform.patterns.parse import compile
from botplatform.router import Handler, Router
from botplatform.source import Raw
from botplatform.sources import cloudtrail
from botplatform.subscription import subscriptions_of

GROWTH = 2


class Mix(NamedTuple):
    """A mix of subscriptions, and how many times `orjson.loads` routing may cost with so many of them."""

    title: str
    draw: Callable[[Sequence[dict[str, Any]]], Iterator[Wanted]]
    limits: dict[int, float]


ROUTED = (
    *(Mix(mix.title, mix.draw, {1_000: 2, 10_000: 2.5}) for mix in MIXES),
    Mix("95 % of the events match nothing", subscriptions.seldom, dict.fromkeys(subscriptions.COUNTS, 0.8)),
)


def races() -> Iterator[Race]:
    """A race for each mix, with a row for each number of patterns."""
    if not is_there():
        yield unmeasured("route")
        return
    codec.use_msgspec()
    events = trail()
    with one_core():
        for mix in ROUTED:
            contenders = [_contender(events, mix, count) for count in subscriptions.COUNTS]
            title = f"route: bytes to called handlers, {mix.title} ({events.origin})"
            yield Race(title, [loading(events), *contenders], bars=list(_bars(mix)))


def _bars(mix: Mix) -> Iterator[Bar]:
    for count, limit in mix.limits.items():
        yield at_most(_row(count), limit, of=YARDSTICK)
    fewest, *_, most = subscriptions.COUNTS
    yield at_most(_row(most), GROWTH, of=_row(fewest))


def _contender(events: Trail, mix: Mix, count: int) -> Contender:
    wanted = subscriptions.drawn(mix.draw, events.records, count)
    calls = Calls()
    router = router_of(wanted, calls)
    normalize: Callable[[Raw], Iterator[Any]] = router.normalizer(cloudtrail.SOURCE)
    route = router.route

    def routed(body: bytes) -> int:
        before = calls.count
        for event in normalize(Raw(body)):
            for match in route(event):
                match.handler.function(event)
        return calls.count - before

    counts = _counts(events, wanted)
    if list(map(routed, events.bodies)) != counts:
        raise Wrong(f"with {count} patterns other handlers were called than those whose pattern matches")
    return Contender(_row(count), lambda: measured(routed, events.bodies, sum(counts), _about(counts)))


def _counts(events: Trail, wanted: Sequence[Wanted]) -> list[int]:
    """How many of the patterns match each record, by the index, which `matching` holds to event-ruler's answers."""
    index = index_of([compile(want.of_record()) for want in wanted])
    return [len(index.match(record)) for record in events.records]


def _about(counts: Sequence[int]) -> dict[str, float]:
    return {"calls per event": sum(counts) / len(counts), "unmatched %": 100 * counts.count(0) / len(counts)}


def _row(count: int) -> str:
    return f"{count:,} patterns"


class Calls:
    """How often handlers were called."""

    def __init__(self) -> None:
        self.count = 0


def router_of(wanted: Sequence[Wanted], calls: Calls) -> Router:
    """A router with one handler for each subscription, which counts its calls."""
    return Router([_handler(number, want, calls) for number, want in enumerate(wanted)])


def _handler(number: int, want: Wanted, calls: Calls) -> Handler:
    """A handler that does nothing but count, as the loader makes them of a plugin's functions."""

    @cloudtrail.event(want.of_record())
    def count(event: Event) -> None:
        del event
        calls.count += 1

    name = f"subscriber.number_{number}"
    return Handler(name, "subscriber", count, ("event",), subscriptions_of(count), frozenset(), __file__, 1)
