"""How many events are accepted, handled and on disk in a second, beside SQLite's commits and the peers' task queues?"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.bars import BY_HAND, at_least
from benchmarks.by_hand import ByHand
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.platforms import running
from benchmarks.queues import peer, redis
from benchmarks.servers import installed
from botplatform.errors import Overloaded
from botplatform.event import Event
from botplatform.hosts.intake import Arrival
from botplatform.hosts.local.platform import DATABASE, Platform

SINGLE = 1000
LOAD = 20_000
TASKS = 1000
PRODUCERS = 16
GROUP = 512  # a read of a socket brings about so many small messages
PLUGINS = Path(__file__).parent / "plugins"
HANDLER = "nothing.handle"
SOURCE, TYPE = "urn:example:benchmark", "com.example.task"
_WITHIN = 60.0

T = TypeVar("T")
Submit = Callable[[Platform, Sequence[Event]], None]


def races() -> Iterator[Race]:
    """One event after the other beside SQLite's own commits, then as many as there is room for beside task queues."""
    with tempfile.TemporaryDirectory() as name, running(Path(name, "state"), PLUGINS) as us:
        with closing(_Commits(Path(name, "commits.db"))) as commits, closing(by_hand(Path(name, "one.db"))) as one:
            yield Race(
                "durable_events: one after the other",
                [
                    Contender("bare SQLite", commits.measure, "WAL, FULL: one row and one commit for each event"),
                    Contender(BY_HAND, partial(_kept, one, SINGLE, 1), "log entry and marker; nothing else of a run"),
                    Contender("the platform", partial(_one_by_one, us), "the next is submitted when one is durable"),
                ],
                bars=[at_least("the platform", 0.8, of="bare SQLite")],
            )
        yield from _under_load(us, Path(name))


def _under_load(us: Platform, folder: Path) -> Iterator[Race]:
    with ExitStack() as stack:
        peers, absent = _peers(stack, folder)
        ours = {
            f"the platform, {PRODUCERS} threads": (
                _submit_on_threads,
                "submit: marker and log entry in SQLite, FULL, then settled",
            ),
            "the platform, groups": (submit_in_groups, f"submit_all, {GROUP} at a time, on a thread that helps"),
        }
        log = stack.enter_context(closing(by_hand(folder / "groups.db")))
        contenders = [
            *peers,
            Contender(BY_HAND, partial(_kept, log, LOAD, GROUP), f"the same, {GROUP} a commit"),
            *(Contender(name, partial(_loaded, us, submit), note) for name, (submit, note) in ours.items()),
        ]
        rivals = [name for name in (*(peer.name for peer in peers), *absent) if not name.startswith("huey, Redis")]
        bars = [at_least("the platform, groups", 20, of=rival) for rival in rivals]
        yield Race("durable_events: under load, accepted and handled", contenders, absent, bars)


def _peers(stack: ExitStack, folder: Path) -> tuple[list[Contender], dict[str, str]]:
    """Those that can be measured, started; and why the others cannot."""
    contenders, absent = [], {}
    brokers = {"SQLite": str(folder / "huey.db")}
    if redis.binary():
        brokers |= {f"Redis {fsync}": stack.enter_context(redis.server(folder / fsync, fsync)) for fsync in _FSYNC}
    for name, broker, tasks in _RIVALS:
        title = f"{name}, {broker}"
        if not installed(name):
            absent[title] = "it is not installed (benchmarks/README.md)"
        elif broker not in brokers:
            absent[title] = "redis-server is not installed"
        else:
            rival = stack.enter_context(peer.running(name, brokers[broker], folder / f"{name} {broker}"))
            contenders.append(Contender(title, partial(rival.measure, tasks), _NOTES[broker]))
    return contenders, absent


_FSYNC = ("everysec", "always")
# With Redis writing each command to disk, Celery does a hundred tasks a second: fewer are enough.
_RIVALS = (
    ("huey", "SQLite", TASKS),
    ("huey", "Redis everysec", TASKS),
    ("celery", "Redis everysec", TASKS),
    ("dramatiq", "Redis everysec", TASKS),
    ("huey", "Redis always", TASKS),
    ("celery", "Redis always", TASKS // 5),
    ("dramatiq", "Redis always", TASKS),
)
_NOTES = {
    "SQLite": "its defaults: WAL, NORMAL; what was put last may be lost with the power, what runs with the worker",
    "Redis everysec": "Redis's default: a second of what was put may be lost",
    "Redis always": "each command on disk before it is answered, as ours is",
}


class _Commits:
    """A row for each event, committed on its own: the least that makes one durable."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE done (source TEXT, id TEXT, PRIMARY KEY (source, id)) WITHOUT ROWID")

    def measure(self) -> Figures:
        """Commit one after the other."""
        began = time.perf_counter()
        for event in events_of(SINGLE):
            self._database.execute("INSERT INTO done VALUES (?, ?)", (event.source, event.id))
        return {"events/s": SINGLE / (time.perf_counter() - began)}

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def by_hand(file: Path) -> ByHand:
    """A loop that keeps such events in a file."""
    return ByHand(file, SOURCE, TYPE)


def _kept(log: ByHand, count: int, group: int) -> Figures:
    """Keep events, so many a commit."""
    before, began = log.count(), time.perf_counter()
    for event in events_of(count):
        log.keep(event.id, event.subject, event.data)
        if len(log) == group:
            log.commit()
    log.commit()
    seconds = time.perf_counter() - began
    expect(log.count() - before, count)
    return {"events/s": count / seconds}


def _one_by_one(us: Platform) -> Figures:
    before, began = _handled(us), time.perf_counter()
    settled = threading.Semaphore(0)
    for event in events_of(SINGLE):
        _bring(us, [Arrival(event, settled.release)])
        settled.acquire(timeout=_WITHIN)
    seconds = time.perf_counter() - began
    expect(_handled(us) - before, SINGLE)
    return {"events/s": SINGLE / seconds}


def submit_in_groups(us: Platform, events: Sequence[Event]) -> None:
    """Submit events as one read of a socket would bring them; returns when all are durable and handled."""
    settled: list[Event] = []
    taken = 0
    while taken < len(events):
        group = [Arrival(event, partial(settled.append, event)) for event in events[taken : taken + GROUP]]
        taken += _patiently(partial(_bring, us, group))
    _wait(us, settled, len(events))


def _bring(us: Platform, arrivals: Sequence[Arrival]) -> int:
    """Hand events in, and help with them, as a network thread does."""
    taken = us.dispatcher.submit_all(arrivals)
    us.dispatcher.help(lambda: None)
    return taken


def _submit_on_threads(us: Platform, events: Sequence[Event]) -> None:
    """Submit events one by one, on as many threads as there are producers; returns when all are handled."""
    settled: list[Event] = []

    def produce(number: int) -> None:
        for event in events[number::PRODUCERS]:
            _patiently(partial(us.dispatcher.submit, event, partial(settled.append, event)))

    with ThreadPoolExecutor(PRODUCERS) as producers:
        list(producers.map(produce, range(PRODUCERS)))
    _wait(us, settled, len(events))


def _wait(us: Platform, settled: Sequence[Event], count: int) -> None:
    end = time.monotonic() + _WITHIN
    while (len(settled) < count or us.busy()) and time.monotonic() < end:
        time.sleep(0.001)  # those that waited long are durable before they are handled


def _loaded(us: Platform, submit: Submit) -> Figures:
    """Submit events and wait until all are handled; each has to have left its marker."""
    before, began = _handled(us), time.perf_counter()
    submit(us, events_of(LOAD))
    seconds = time.perf_counter() - began
    expect(_handled(us) - before, LOAD)
    return {"events/s": LOAD / seconds}


def _patiently(submit: Callable[[], T]) -> T:
    """Do what a sender does that hears of too many: wait a little."""
    while True:
        try:
            return submit()
        except Overloaded:
            time.sleep(0.001)


def events_of(count: int) -> list[Event]:
    """New events, of which the handler hears."""
    run = uuid.uuid4().hex
    return [Event(id=f"{run}-{number}", source=SOURCE, type=TYPE, data={"number": number}) for number in range(count)]


def _handled(us: Platform) -> int:
    """How many markers there are, asked as a stranger would."""
    with closing(sqlite3.connect(us.settings.state / DATABASE)) as database:
        found: int = database.execute("SELECT count(*) FROM outcomes WHERE handler = ?", (HANDLER,)).fetchone()[0]
        return found


def expect(found: int, wanted: int) -> None:
    """Raise Wrong unless all were found."""
    if found != wanted:
        raise Wrong(f"{wanted} events were submitted and {found} have left a marker")
