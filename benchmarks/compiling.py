"""How long does it take until patterns can be asked? It is part of a cold start, and of every reload of a plugin."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import event_ruler, subscriptions
from benchmarks.bars import at_most
from benchmarks.cloudtrail_events import Trail, trail
from benchmarks.event_ruler import ABSENT
from benchmarks.matching import index_of
from benchmarks.measure import Contender, Figures, Race
from benchmarks.per_event import one_core
from benchmarks.servers import ROOT
from botplatform.patterns.parse import compile

COST = "ms of CPU"
YARDSTICK = "json.loads"
MANY, FEW = 10_000, 100
OURS, RULER = "the index", "event-ruler"
_SCRIPT = """
import json, sys, time
patterns = json.load(sys.stdin)
began = time.process_time()
from botplatform.patterns.index import Index
from botplatform.patterns.parse import compile
Index().add(0, compile(patterns[0]))  # imports the rest
imported = time.process_time()
index = Index()
for number, pattern in enumerate(patterns):
    index.add(number, compile(pattern))
index.match(patterns[0])
print(json.dumps([time.process_time() - imported, imported - began]))
"""


def races() -> Iterator[Race]:
    """A race with many patterns in a warm process, and one with few in new ones."""
    events = trail()
    wanted = [want.of_event() for want in subscriptions.drawn(subscriptions.mixed, events.records, MANY)]
    with one_core():
        yield _warm(events, wanted)
        yield _cold(wanted[:FEW])


def _warm(events: Trail, wanted: Sequence[Mapping[str, Any]]) -> Race:
    contenders = [
        Contender(YARDSTICK, partial(_decoded, wanted), "decodes the same patterns, and no more"),
        Contender(OURS, partial(_compiled, wanted), "compiled, added, and asked once"),
    ]
    if event_ruler.is_there():
        contenders.append(Contender(RULER, partial(_ruled, events, wanted), "added from text by a new process"))
    absent = {} if event_ruler.is_there() else {RULER: ABSENT}
    bars = [at_most(OURS, 1500)]
    return Race(f"compiling: {len(wanted):,} patterns of all kinds, in a warm process", contenders, absent, bars)


def _cold(wanted: Sequence[Mapping[str, Any]]) -> Race:
    contenders = [
        Contender(YARDSTICK, partial(_decoded, wanted), "decodes the same patterns, in a warm process"),
        Contender(OURS, partial(_compiled_anew, wanted), "compiled, added, and asked once by a new process each time"),
    ]
    bars = [at_most(OURS, 10)]
    return Race(f"compiling: {len(wanted):,} patterns of all kinds, in a new process", contenders, bars=bars)


def _decoded(wanted: Sequence[Mapping[str, Any]]) -> Figures:
    text = json.dumps(wanted)
    began = time.process_time()
    json.loads(text)
    return {COST: (time.process_time() - began) * 1000}


def _compiled(wanted: Sequence[Mapping[str, Any]]) -> Figures:
    began = time.process_time()
    index_of([compile(pattern) for pattern in wanted]).match(wanted[0])
    return {COST: (time.process_time() - began) * 1000}


def _compiled_anew(wanted: Sequence[Mapping[str, Any]]) -> Figures:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], input=json.dumps(wanted), capture_output=True, text=True, check=True, cwd=ROOT
    )
    compiled, imported = json.loads(done.stdout)
    return {COST: compiled * 1000, "import ms": imported * 1000}


def _ruled(events: Trail, wanted: Sequence[Mapping[str, Any]]) -> Figures:
    with tempfile.TemporaryDirectory() as folder, event_ruler.running(wanted, events.bodies[:1], Path(folder)) as ruler:
        return {COST: ruler.compiled * 1000}
