"""Where does the time go from an event's bytes to its handlers?

Each row does what the ones above do, and more; but an event that the few deciding fields rule out is read no further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from benchmarks import subscriptions
from benchmarks.cloudtrail_events import Trail, trail
from benchmarks.measure import Contender, Race
from benchmarks.normalize import fingerprint
from benchmarks.per_event import measured, one_core
from benchmarks.route import router_of
from benchmarks.subscriptions import Wanted
from benchmarks.yardstick import is_there, loading, unmeasured
from botplatform import codec
from botplatform.reader import reader
from botplatform.sources.cloudtrail import SOURCE

PATTERNS = 1_000
DECIDING = "the fields that decide are decoded"
DECODED = "all that patterns look at is decoded"
ROUTED = "an event is made, its handlers looked up"
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
    router = router_of(wanted)
    read = reader(SOURCE, router)

    def routed(body: bytes) -> Any:
        return list(read(body))

    def called(body: bytes) -> None:
        for event, plan in read(body):
            for function in plan.functions:
                function(event)

    def decoded(body: bytes) -> None:
        for event, plan in read(body):
            for function in plan.functions:
                function(event)
                event.data  # noqa: B018 - asking decodes

    kinds, deciding = router.index.kinds(SOURCE.beginnings), router.index.deciding
    few = {path: kinds[path] for path in deciding & kinds.keys()}
    return {DECIDING: fingerprint(few), DECODED: fingerprint(kinds), ROUTED: routed, CALLED: called, READ: decoded}


def _contender(events: Trail, name: str, stage: Stage) -> Contender:
    def done(body: bytes) -> int:
        stage(body)
        return 1

    return Contender(name, partial(measured, done, events.bodies, len(events.bodies)))
