"""What does it cost to see that an event was handled before, beside decoding it?"""

from __future__ import annotations

import importlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import orjson

from benchmarks.bars import at_most
from benchmarks.cloudtrail_events import trail
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.per_event import COST
from benchmarks.servers import installed
from botplatform import codec
from botplatform.event import Event
from botplatform.store import Commit, Outcome, Work
from botplatform.stores.sqlite import SqliteStore

HANDLER = "root_sign_in.warn"
SOURCE = "urn:example:benchmark"
FEW = 2000
PASSES = 10
# What a look for a marker cannot do without.
SELECT = """SELECT reply, attempts, took, suppressed FROM outcomes
    WHERE number = (SELECT seq FROM events WHERE source = ? AND id = ?) AND handler = ?"""


def races() -> Iterator[Race]:
    """One race with the markers in memory, one with the markers in the file alone."""
    codec.use_msgspec()
    events = trail()
    works = [Work(SOURCE, event["id"], HANDLER) for event in events.events]
    with tempfile.TemporaryDirectory() as name, closing(SqliteStore(Path(name, "state.db"))) as store:
        _commit(store, works)
        yield _in_memory(store, works, events.bodies, events.origin)
        yield _in_the_file(store.path, works[:FEW])


def _commit(store: SqliteStore, works: Sequence[Work]) -> None:
    """Leave a marker of each."""
    for work in works:
        event = Event(id=work.id, source=work.source, type="com.example.benchmark")
        store.commit(Commit(work, event, Outcome()))


def _in_memory(store: SqliteStore, works: Sequence[Work], bodies: Sequence[bytes], origin: str) -> Race:
    contenders = [
        Contender("orjson.loads", partial(_decode, bodies), f"the whole event: {origin}"),
        Contender("the platform", partial(_known, store, works), "SqliteStore.outcome, of a marker set lately"),
    ]
    absent = {}
    if installed("aws_lambda_powertools"):
        seen = importlib.import_module("benchmarks.idempotent").again(works)
        contenders.append(Contender("powertools", partial(_seen, seen), "idempotent_function, records in a dictionary"))
    else:
        absent["powertools"] = "it is not installed (benchmarks/README.md)"
    bars = [at_most("the platform", 1, of="orjson.loads")]
    return Race("deduplication: the marker is in memory", contenders, absent, bars)


def _in_the_file(path: Path, works: Sequence[Work]) -> Race:
    return Race(
        "deduplication: the marker is in the file",
        [
            Contender(
                "bare SQLite", partial(_selected, path, works), "one SELECT, of two look-ups, on an open connection"
            ),
            Contender("the platform", partial(_reopened, path, works), "SqliteStore.outcome after a start, each once"),
        ],
    )


def _decode(bodies: Sequence[bytes]) -> Figures:
    began = time.process_time()
    for _ in range(PASSES):
        for body in bodies:
            orjson.loads(body)
    return _figures(began, PASSES * len(bodies))


def _known(store: SqliteStore, works: Sequence[Work]) -> Figures:
    return _found(store.outcome, [*works] * PASSES)


def _found(outcome: Callable[[Work], Outcome | None], works: Sequence[Work]) -> Figures:
    began = time.process_time()
    outcomes = [outcome(work) for work in works]
    figures = _figures(began, len(works))
    if None in outcomes or outcome(works[0]._replace(id="new")) is not None:
        raise Wrong("a marker that is there was not found, or one that is not was")
    return figures


def _seen(again: Callable[[], int]) -> Figures:
    began = time.process_time()
    seen = again()
    return _figures(began, seen)


def _selected(path: Path, works: Sequence[Work]) -> Figures:
    with closing(sqlite3.connect(path)) as database:
        database.execute(SELECT, works[0]).fetchone()
        began = time.process_time()
        rows = [database.execute(SELECT, work).fetchone() for work in works]
        figures = _figures(began, len(works))
    if None in rows:
        raise Wrong("a marker is not in the file")
    return figures


def _reopened(path: Path, works: Sequence[Work]) -> Figures:
    """What a process that has just started finds of those before it."""
    with closing(SqliteStore(path)) as store:
        store.outcome(works[0]._replace(id="new"))  # opens the connection
        return _found(store.outcome, works)


def _figures(began: float, count: int) -> Figures:
    return {COST: (time.process_time() - began) / count * 1e6}
