"""How much memory does a process have after many events, beside what it has after some?"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.bars import at_most
from benchmarks.durable_events import submit_in_groups
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.platforms import running
from benchmarks.servers import ROOT
from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.hosts.allocation import share_freed_memory
from botplatform.hosts.local.platform import Platform
from botplatform.source import Raw
from botplatform.store import StateKey

SOME = 10_000
MANY = "BENCHMARK_MEMORY_EVENTS"
DEFAULT = 100_000
# As many as are made, and submitted, before the next are.
BATCH = 1000
LOG_LIMIT = 5000
SENDERS = 100
PLUGINS = Path(__file__).parent / "plugins"
COUNTER = StateKey("event_counter", "events")


def races() -> Iterator[Race]:
    """One race: in each round a process handles some events, says how large it is, and goes on to many."""
    many = int(os.environ.get(MANY, DEFAULT))
    with closing(_Process()) as process:
        rows = {f"after {events:,} events": events for events in (SOME, many)}
        some, last = rows
        yield Race(
            "memory: resident size of the platform's process",
            [
                Contender(some, lambda: process.begin(SOME), "one of 20 nobody listens to, one of 100 is no event"),
                Contender(last, lambda: process.end(many), f"in all; {MANY} says how many, 1,000,000 for the whole"),
            ],
            bars=[at_most(last, 1.1, of=some)],
        )


class _Process:
    """A platform in a process of its own, which handles as many events in all as it is told."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def begin(self, events: int) -> Figures:
        """Start one, and have it handle so many events."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.memory"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self._go_on(self._process, events)

    def end(self, events: int) -> Figures:
        """Have it go on until it handled so many in all, and end it."""
        assert self._process
        figures = self._go_on(self._process, events)
        self.close()
        return figures

    def close(self) -> None:
        """End it, where it is running."""
        if self._process:
            self._process.communicate()
            self._process = None

    def _go_on(self, process: subprocess.Popen[str], events: int) -> Figures:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{events}\n")
        process.stdin.flush()
        said = process.stdout.readline()
        if not said:
            raise Wrong("the process ended")
        size, counted = map(int, said.split())
        if counted != _wanted(events):
            raise Wrong(f"{counted} events are counted in the state, of {_wanted(events)}")
        return {"MiB": size / 2**20}


def main() -> None:
    """Handle as many events in all as each line says; print the resident size in bytes, and the count in the state."""
    share_freed_memory()  # as `botplatform run` does
    done = 0
    with tempfile.TemporaryDirectory() as name:
        settings = {"BOTPLATFORM_LOG_LIMIT": str(LOG_LIMIT)}
        with running(Path(name), PLUGINS, **settings) as us:
            for line in sys.stdin:
                for first in range(done, int(line), BATCH):
                    _handle(us, range(first, first + BATCH))
                done = int(line)
                print(_resident(), codec.decode(us.store.read(COUNTER).json or b"0"), flush=True)


def _handle(us: Platform, numbers: Sequence[int]) -> None:
    submit_in_groups(us, [_event(number) for number in numbers])
    for number in numbers:
        if number % 100 == 99:
            _reject(us, number)
    us.store.prune(us.settings.log_days * 86400, us.settings.log_limit)


def _event(number: int) -> Event:
    return Event(
        id=f"event-{number}",
        source="urn:example:benchmark",
        type="com.example.unheard" if _is_unheard(number) else "com.example.counted",
        subject=f"thing-{number}",
        data={"sender": number % SENDERS, "words": "as many as there are " * 20},
    )


def _is_unheard(number: int) -> bool:
    return number % 20 == 19


def _wanted(events: int) -> int:
    return events - events // 20


def _reject(us: Platform, number: int) -> None:
    try:
        us.doors.post(Raw(b'{"specversion": "1.0", "id": "%d"}' % number))
    except Rejected:
        return
    raise Wrong("what is no event was taken for one")


def _resident() -> int:
    """The resident size of this process in bytes (Linux, proc(5), "/proc/pid/statm")."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
