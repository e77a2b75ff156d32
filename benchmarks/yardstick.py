"""The yardstick of what an event costs: orjson decoding its bytes, whole."""

from __future__ import annotations

import importlib
from functools import partial

from benchmarks.cloudtrail_events import Trail
from benchmarks.measure import Contender, Race
from benchmarks.per_event import measured
from benchmarks.servers import installed

YARDSTICK = "orjson.loads"
NOT_INSTALLED = "it is not installed (benchmarks/README.md)"


def loading(events: Trail) -> Contender:
    """What orjson takes to decode an event."""
    loads = importlib.import_module("orjson").loads

    def loaded(body: bytes) -> int:
        loads(body)
        return 1

    return Contender(YARDSTICK, partial(measured, loaded, events.bodies, len(events.bodies)), "decodes, and no more")


def is_there() -> bool:
    """Whether there is something to measure by."""
    return installed("orjson")


def unmeasured(title: str) -> Race:
    """What a benchmark comes to that has nothing to measure by."""
    return Race(title, [], {YARDSTICK: NOT_INSTALLED})
