"""Where does the time of an event go that is accepted, handled and on disk, many at once?

Each row does what the ones above do, and more.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from benchmarks.by_hand import ByHand
from benchmarks.durable_events import GROUP, HANDLER, PLUGINS, by_hand, events_of, expect, submit_in_groups
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.per_event import COST
from benchmarks.platforms import running
from botplatform.event import Event
from botplatform.hosts.local.platform import Platform
from botplatform.store import Commit, Committed, Outcome, Run, Work
from botplatform.stores.sqlite import SqliteStore

EVENTS = 40 * GROUP
WRITTEN = "its rows are written and committed, by hand"
STORED = "a store does that: it refuses what was done, and tells what came of each"
LOOKED_UP = "it is looked up before whether it was done"
RUN = "it is routed, its handler run as a unit of work"
DISPATCHED = "the platform: queued, timed, given up if it hangs, tried again, answered"

Handle = Callable[[Sequence[Event]], None]


def races() -> Iterator[Race]:
    """One race: a loop by hand first, the whole platform last."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        us = stack.enter_context(running(folder / "state", PLUGINS))
        log = stack.enter_context(closing(by_hand(folder / "by hand.db")))
        stored, looked_up, ran = (
            stack.enter_context(closing(SqliteStore(folder / f"{number}.db"))) for number in range(3)
        )
        stages: dict[str, tuple[Handle, Callable[[], int]]] = {
            WRITTEN: (partial(_written, log), log.count),
            STORED: (partial(_stored, stored), stored.log.count),
            LOOKED_UP: (partial(_looked_up, looked_up), looked_up.log.count),
            RUN: (partial(_run, us, ran), ran.log.count),
            DISPATCHED: (partial(submit_in_groups, us), us.store.log.count),
        }
        contenders = [Contender(name, partial(_measured, *stage)) for name, stage in stages.items()]
        yield Race(f"durable_stages: {GROUP} events at a time", contenders)


def _measured(handle: Handle, count: Callable[[], int]) -> Figures:
    """What an event takes, of which each has to be in the log afterwards."""
    events, before = events_of(EVENTS), count()
    groups = [events[start : start + GROUP] for start in range(0, EVENTS, GROUP)]
    began = time.process_time()
    for group in groups:
        handle(group)
    seconds = time.process_time() - began
    expect(count() - before, EVENTS)
    return {COST: seconds / EVENTS * 1e6}


def _written(log: ByHand, events: Sequence[Event]) -> None:
    for event in events:
        log.keep(event.id, event.subject, event.data)
    log.commit()


def _stored(store: SqliteStore, events: Sequence[Event]) -> None:
    outcome = Outcome()
    _committed(store, [Commit(_work(event), event, outcome) for event in events])


def _looked_up(store: SqliteStore, events: Sequence[Event]) -> None:
    _expect_none(store, [_work(event) for event in events])
    _stored(store, events)


def _run(us: Platform, store: SqliteStore, events: Sequence[Event]) -> None:
    engine, router = us.dispatcher.engine, us.dispatcher.router
    works = [_work(event) for event in events]
    _expect_none(store, works)
    commits = []
    for work, event in zip(works, events, strict=True):
        (match,) = router.route(event)
        commits.append(engine.attempt(work, event, match, Run(), store))
    _committed(store, commits)


def _expect_none(store: SqliteStore, works: Sequence[Work]) -> None:
    if store.outcomes(works):
        raise Wrong("an event was done before")


def _work(event: Event) -> Work:
    return Work(event.source, event.id, HANDLER)


def _committed(store: SqliteStore, commits: Sequence[Commit]) -> None:
    """Have all committed, on this thread, since nobody else has anything written."""
    results: list[Committed | Exception] = []
    store.submit(commits, results.extend)
    if sum(isinstance(result, Committed) for result in results) < len(commits):
        raise Wrong(f"not all was committed: {results}")
