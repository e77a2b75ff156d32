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
from botplatform.reader import reader
from botplatform.router import Handler, Plan, Router
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
            contenders = [one for count in subscriptions.COUNTS for one in _contenders(events, mix, count)]
            title = f"route: bytes to called handlers, {mix.title} ({events.origin})"
            yield Race(title, [loading(events), *contenders], bars=list(_bars(mix)))


def _bars(mix: Mix) -> Iterator[Bar]:
    for count, limit in mix.limits.items():
        yield at_most(_row(count), limit, of=YARDSTICK)
    fewest, *_, most = subscriptions.COUNTS
    yield at_most(_row(most), GROWTH, of=_row(fewest))


def _contenders(events: Trail, mix: Mix, count: int) -> Iterator[Contender]:
    """Routing to so many subscriptions, and where they are most what of it is Python calling the same functions."""
    wanted = subscriptions.drawn(mix.draw, events.records, count)
    read = reader(cloudtrail.SOURCE, router_of(wanted))

    def routed(body: bytes) -> int:
        before = called.count
        for event, plan in read(body):
            for function in plan.functions:
                function(event)
        return called.count - before

    counts = _counts(events, wanted)
    if list(map(routed, events.bodies)) != counts:
        raise Wrong(f"with {count} patterns other handlers were called than those whose pattern matches")
    yield Contender(_row(count), lambda: measured(routed, events.bodies, sum(counts), _about(counts)))
    if count == subscriptions.COUNTS[-1]:
        plans = [plan for body in events.bodies for _, plan in read(body)]
        yield _calls_alone(plans, counts)


def _calls_alone(plans: Sequence[Plan], counts: Sequence[int]) -> Contender:
    def call(plan: Plan) -> int:
        before = called.count
        for function in plan.functions:
            function(None)
        return called.count - before

    return Contender("the same calls alone", lambda: measured(call, plans, sum(counts)), "no event is looked at")


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


called = Calls()


def router_of(wanted: Sequence[Wanted]) -> Router:
    """A router with one handler for each subscription, which counts its calls in `called`."""
    return Router([_handler(number, want) for number, want in enumerate(wanted)])


def _handler(number: int, want: Wanted) -> Handler:
    """A handler that does nothing but count, as the loader makes them of a plugin's functions."""

    @cloudtrail.event(want.of_record())
    def count(event: Event) -> None:
        del event
        called.count += 1

    name = f"subscriber.number_{number}"
    return Handler(name, "subscriber", count, ("event",), subscriptions_of(count), frozenset(), __file__, 1)
