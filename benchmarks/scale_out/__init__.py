"""How many events do 1, 2 and 4 workers handle in a second, on one queue and one table?"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.scale_out import bare
from benchmarks.scale_out.emulator import PROGRAM, Place, running
from botplatform import Event

EVENTS = 400
ARTICLES = 50
SLOW_EVENTS = 160
SLOW = 0.2
SLOW_THREADS = 4
PLUGINS = Path(__file__).parent / "plugins"
_WITHIN = 120.0


def races() -> Iterator[Race]:
    """Two races: events whose handlers only count, and events whose handlers mostly wait."""
    quick = f"scale_out: {EVENTS} events, each counted in one of {ARTICLES} values"
    slow = f"scale_out: {SLOW_EVENTS} events whose handlers wait {SLOW * 1000:.0f} ms, {SLOW_THREADS} threads a worker"
    if not PROGRAM.exists():
        yield Race(quick, [], {"everything": "there is no emulator; `make test-aws` puts it there"})
        return
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as settings:
        contenders = [_workers(count, settings, EVENTS, 0.0, 16) for count in (1, 2, 4)]
        note = f"botocore alone, {bare.THREADS} threads: receive, two reads, a transaction, delete"
        yield Race(quick, [*contenders, Contender("the requests, bare", partial(_bare, settings), note)])
        yield Race(slow, [_workers(count, settings, SLOW_EVENTS, SLOW, SLOW_THREADS) for count in (1, 2, 4)])


def _workers(count: int, settings: Mapping[str, str], events: int, seconds: float, threads: int) -> Contender:
    name = "1 worker" if count == 1 else f"{count} workers"
    return Contender(name, partial(_handled, count, settings, events, seconds, threads))


def _handled(count: int, settings: Mapping[str, str], events: int, seconds: float, threads: int) -> Figures:
    """Send events to workers that are up; in the end each has counted once, and has one marker."""
    place = Place.make(settings)
    with _running(count, place, threads):
        bodies = _bodies(events, seconds)
        began = time.perf_counter()
        place.send(bodies)
        while place.counted("stock") < events and time.perf_counter() - began < _WITHIN:
            time.sleep(0.02)
        took = time.perf_counter() - began
    _expect(place, events)
    return {"events/s": events / took}


def _bare(settings: Mapping[str, str]) -> Figures:
    place = Place.make(settings)
    began = time.perf_counter()
    place.send(_bodies(EVENTS, 0.0))
    bare.handle(place, EVENTS)
    return {"events/s": EVENTS / (time.perf_counter() - began)}


def _bodies(events: int, seconds: float) -> list[bytes]:
    return [
        Event(
            id=str(number),
            source="/benchmarks",
            type="com.example.ordered",
            data={"article": f"article {number % ARTICLES}", "seconds": seconds},
        ).to_json()
        for number in range(events)
    ]


@contextmanager
def _running(count: int, place: Place, threads: int) -> Iterator[None]:
    """So many workers, all up, until the end of the block, when they have to end well."""
    command = [sys.executable, "-m", "botplatform", "worker", "--queue", place.queue, "--table", place.table]
    options = ["--plugins", str(PLUGINS), "--threads", str(threads)]
    environment = {**os.environ, **place.settings}
    workers = [
        subprocess.Popen(
            [*command, *options], env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(count)
    ]
    try:
        for worker in workers:
            _until_it_is_up(worker)
        yield
    finally:
        for worker in workers:
            worker.terminate()
        statuses = [worker.wait() for worker in workers]
    if any(statuses):
        raise Wrong(f"workers ended with {statuses}")


def _until_it_is_up(worker: subprocess.Popen[str]) -> None:
    assert worker.stderr
    for line in worker.stderr:
        if line.startswith("Ctrl-C"):
            return
    raise Wrong("a worker did not start")


def _expect(place: Place, events: int) -> None:
    counted, markers = place.counted("stock"), place.markers()
    if (counted, markers) != (events, events):
        raise Wrong(f"{events} events were sent, {counted} are counted and {markers} marked")
