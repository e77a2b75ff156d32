"""Threads that run jobs: those of one lane in order, one at a time; those of different lanes side by side."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

logger = logging.getLogger(__name__)


def backoff(attempts: int) -> float:
    """Seconds to wait before the next attempt: at random up to a longest that doubles from 1 s to 5 min, never 0."""
    return min(300.0, 2.0 ** min(attempts - 1, 10)) * (1 - random.random())


class Job(Protocol):
    """Something to run in its lane."""

    lane: Hashable

    @property
    def kind(self) -> Hashable:
        """What shares its `concurrency`; the jobs of one lane are of one kind."""

    @property
    def concurrency(self) -> int:
        """How many jobs of its kind run at a time, in all lanes together; one that was given up does not count."""

    @property
    def deadline(self) -> float:
        """Seconds it may run before it is abandoned."""

    def run(self) -> float | None:
        """Run; None when finished, or the seconds after which to run again (the lane waits meanwhile)."""

    def abandon(self) -> float | None:
        """Give up the run under way, whose thread hangs; the answer is as that of `run`."""

    def returned(self) -> None:
        """Learn that a run that was given up came back after all; what it answered is ignored."""

    def park(self) -> None:
        """Learn that the lane waits for a job in front to be run again."""


@dataclass
class _Lane:
    jobs: deque[Job] = field(default_factory=deque)
    waits: bool = False


@dataclass
class _Running:
    key: Hashable
    job: Job
    overdue: float
    abandoned: bool = False


class Lanes:
    """A pool of threads; one that hangs is left to itself and replaced, so that the others never wait for it."""

    def __init__(self, threads: int, name: str) -> None:
        self._name = name
        self._lock = threading.Condition()
        self._lanes: dict[Hashable, _Lane] = {}
        self._ready: queue.SimpleQueue[Hashable] = queue.SimpleQueue()
        self._admitted: Counter[Hashable] = Counter()  # by kind: those that run, and those next in the queue
        self._held: dict[Hashable, deque[Hashable]] = defaultdict(deque)  # by kind: lanes whose turn comes later
        self._timers: list[tuple[float, int, Hashable]] = []
        self._running: dict[int, _Running] = {}
        self._numbers = itertools.count()
        self._stopping = False
        self._threads = [self._start_worker() for _ in range(threads)]
        self._monitor = threading.Thread(target=self._watch, name=f"{name}-monitor", daemon=True)
        self._monitor.start()

    def submit(self, job: Job, delay: float = 0) -> None:
        """Put a job at the end of its lane; `delay` seconds pass before it is run, if it is the first there."""
        with self._lock:
            lane = self._lanes.setdefault(job.lane, _Lane())
            lane.jobs.append(job)
            first = len(lane.jobs) == 1
            if first:
                self._continue(job.lane, lane, delay)
        if not first and lane.waits:
            job.park()

    def busy(self) -> bool:
        """Whether any job is running or could be run now; those that wait to be run again do not count."""
        with self._lock:
            return any(not lane.waits for lane in self._lanes.values())

    def stop(self, timeout: float) -> bool:
        """Start no further job and wait for those that run; False when some still run after `timeout` seconds."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        for _ in self._threads:
            self._ready.put(_STOP)
        end = time.monotonic() + timeout
        while self._under_way() and time.monotonic() < end:
            time.sleep(0.005)
        return not self._under_way()

    def _under_way(self) -> bool:
        """Whether any job runs that was not given up."""
        with self._lock:
            return any(not running.abandoned for running in self._running.values())

    def _start_worker(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{next(self._numbers)}", daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        while (key := self._ready.get()) is not _STOP and not self._stopping:
            with self._lock:
                job = self._lanes[key].jobs[0]
                running = _Running(key, job, time.monotonic() + job.deadline)
                number = next(self._numbers)
                self._running[number] = running
            again = _guarded(job, job.run)
            with self._lock:
                del self._running[number]
            if running.abandoned:
                job.returned()
                return  # this thread was replaced when it hung
            self._finish(key, again)

    def _finish(self, key: Hashable, again: float | None) -> None:
        with self._lock:
            lane = self._lanes[key]
            kind = lane.jobs[0].kind
            self._admitted[kind] -= 1
            self._fill(kind)
            if again is None:
                lane.jobs.popleft()
            if not lane.jobs:
                del self._lanes[key]
                return
            behind = list(lane.jobs)[1:] if again and not lane.waits else []
            self._continue(key, lane, again or 0)
        for job in behind:
            job.park()

    def _continue(self, key: Hashable, lane: _Lane, delay: float) -> None:
        lane.waits = delay > 0
        if not lane.waits:
            self._admit(key)
            return
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._numbers), key))
        self._lock.notify_all()

    def _admit(self, key: Hashable) -> None:
        """Let the first job of a lane run, or hold its lane, and no thread, until fewer of its kind do."""
        kind = self._lanes[key].jobs[0].kind
        self._held[kind].append(key)
        self._fill(kind)

    def _fill(self, kind: Hashable) -> None:
        held = self._held[kind]
        while held and self._admitted[kind] < self._lanes[held[0]].jobs[0].concurrency:
            self._admitted[kind] += 1
            self._ready.put(held.popleft())

    def _watch(self) -> None:
        """Wake lanes whose time has come, and abandon what runs too long."""
        while not self._stopping:
            with self._lock:
                now = time.monotonic()
                while self._timers and self._timers[0][0] <= now:
                    key = heapq.heappop(self._timers)[2]
                    self._lanes[key].waits = False
                    self._admit(key)
                late = [r for r in self._running.values() if r.overdue <= now and not r.abandoned]
                for running in late:
                    running.abandoned = True
            for running in late:
                self._replace(running)
            with self._lock:
                self._lock.wait(self._pause())

    def _replace(self, running: _Running) -> None:
        self._start_worker()
        self._finish(running.key, _guarded(running.job, running.job.abandon))

    def _pause(self) -> float:
        """Seconds until the next look: a timer is kept to, a deadline may be overrun by up to a second."""
        due = self._timers[0][0] - time.monotonic() if self._timers else 60.0
        return max(0.001, min(due, 0.1 if self._running else 1.0))


def _guarded(job: Job, act: Callable[[], float | None]) -> float | None:
    """What `act` answers; a bug in it must not take the thread along."""
    try:
        return act()
    except Exception:
        logger.exception("a job of %s failed; it is run again in 5 s", job.lane)
        return 5.0


_STOP: Hashable = object()
