"""Where does the time go from an event's bytes to its handlers? Each row does what the one above does, and more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from benchmarks import subscriptions
from benchmarks.cloudtrail_events import Trail, trail
from benchmarks.measure import Contender, Race
from benchmarks.per_event import measured, one_core
from benchmarks.route import Calls, router_of
from benchmarks.subscriptions import Wanted
from benchmarks.yardstick import is_there, loading, unmeasured
from botplatform import codec
from botplatform.patterns.index import Index
from botplatform.patterns.parse import compile
from botplatform.patterns.pruned import decoder
from botplatform.source import Raw
from botplatform.sources.cloudtrail import SOURCE

PATTERNS = 1_000
DECODED = "what patterns read is decoded"
NORMALIZED = "an event is made of it"
ROUTED = "it is routed"
CALLED = "handlers are called"
READ = "the handlers' events are decoded whole"
MIXES = {
    "on source and event name": subscriptions.keyed,
    "95 % of the events match nothing": subscriptions.seldom,
}

Stage = Callable[[bytes], Any]


def races() -> Iterator[Race]:
    """A race where most events concern somebody, and one where few do."""
    if not is_there():
        yield unmeasured("stages")
        return
    codec.use_msgspec()
    events = trail()
    with one_core():
        for title, mix in MIXES.items():
            stages = _stages(subscriptions.drawn(mix, events.records, PATTERNS))
            contenders = [_contender(events, name, stage) for name, stage in stages.items()]
            yield Race(f"stages: {PATTERNS:,} patterns, {title} ({events.origin})", [loading(events), *contenders])


def _stages(wanted: Sequence[Wanted]) -> dict[str, Stage]:
    router = router_of(wanted, Calls())
    normalize, route = router.normalizer(SOURCE), router.route

    def normalized(body: bytes) -> Any:
        return next(normalize(Raw(body)))

    def routed(body: bytes) -> Any:
        return route(normalized(body))

    def called(body: bytes) -> None:
        event = normalized(body)
        for match in route(event):
            match.handler.function(event)

    def read(body: bytes) -> None:
        event = normalized(body)
        for match in route(event):
            match.handler.function(event)
            event.data  # noqa: B018 - asking decodes

    return {DECODED: _decoding(wanted), NORMALIZED: normalized, ROUTED: routed, CALLED: called, READ: read}


def _decoding(wanted: Sequence[Wanted]) -> Stage:
    index: Index[int] = Index()
    for number, want in enumerate(wanted):
        index.add(number, compile(want.of_event()))
    return decoder(index.paths)


def _contender(events: Trail, name: str, stage: Stage) -> Contender:
    def done(body: bytes) -> int:
        stage(body)
        return 1

    return Contender(name, partial(measured, done, events.bodies, len(events.bodies)))
