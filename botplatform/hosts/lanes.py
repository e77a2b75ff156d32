"""Threads that run jobs: those of one lane in order, one at a time; those of different lanes side by side."""

from __future__ import annotations

import heapq
import itertools
import queue
import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from botplatform.hosts.jobs import Answer, Job, Later, guarded

# Seconds between two looks at what runs.
TICK = 0.05


def backoff(attempts: int) -> float:
    """Seconds to wait before the next attempt: at random up to a longest that doubles from 1 s to 5 min, never 0."""
    return min(300.0, 2.0 ** min(attempts - 1, 10)) * (1 - random.random())


J = TypeVar("J", bound=Job)


@dataclass(slots=True, eq=False)
class Lane(Generic[J]):
    """The jobs of one key that are not finished, in their order; `waits` says that the first has to run again later."""

    key: Hashable
    jobs: list[J]  # mostly there is one: a deque would take ten times the memory
    waits: bool = False

    @property
    def first(self) -> J:
        """The one that is run next, or runs."""
        return self.jobs[0]


@dataclass(slots=True, eq=False)
class Running(Generic[J]):
    """A job of a lane that a thread runs, since a time by `time.monotonic`; `lent` says that it is none of the pool."""

    lane: Lane[J]
    job: J
    began: float
    abandoned: bool = False
    lent: bool = False

    def overdue(self, now: float) -> bool:
        """Whether it is time to give it up."""
        return not self.abandoned and now - self.began >= self.job.deadline


class Lanes(Generic[J]):
    """A pool of threads; one that hangs is left to itself and replaced, so that the others never wait for it."""

    def __init__(self, threads: int, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._woken = threading.Condition(self._lock)  # the monitor
        self._dozes = False
        self._lanes: dict[Hashable, Lane[J]] = {}
        # What a thread is to do next; it ends after what returns False.
        self._ready: queue.SimpleQueue[Callable[[], bool]] = queue.SimpleQueue()
        self._admitted: Counter[Hashable] = Counter()  # by kind: those that run, and those next in the queue
        self._held: dict[Hashable, deque[Lane[J]]] = defaultdict(deque)  # by kind: lanes whose turn comes later
        self._timers: list[tuple[float, int, Lane[J]]] = []
        self._running: set[Running[J]] = set()
        self._unfinished: set[J] = set()  # something is left of their runs
        self._behind: deque[J] = deque()  # to be told that their lane waits
        self._numbers = itertools.count()
        self._stopping = False
        self._threads = [self._start_worker() for _ in range(threads)]
        self._monitor = threading.Thread(target=self._watch, name=f"{name}-monitor", daemon=True)
        self._monitor.start()

    def submit(self, job: J, delay: float = 0) -> None:
        """Put a job at the end of its lane; `delay` seconds pass before it is run, if it is the first there."""
        with self._lock:
            self._bring([job], delay)

    def submit_all(self, jobs: Iterable[J]) -> None:
        """Put each job at the end of its lane."""
        with self._lock:
            self._bring(jobs, 0)

    def busy(self) -> bool:
        """Whether any job is running or could be run now; those that wait to be run again do not count."""
        with self._lock:
            return any(not lane.waits for lane in self._lanes.values())

    def stop(self, timeout: float) -> bool:
        """Start no further job and wait for those that run; False when some still run after `timeout` seconds."""
        with self._lock:
            self._stopping = True
            self._woken.notify()
        end = time.monotonic() + timeout
        while self._under_way() and time.monotonic() < end:
            time.sleep(0.005)
        for _ in self._threads:
            self._ready.put(_end)
        return not self._under_way()

    def _under_way(self) -> bool:
        """Whether any job runs that was not given up."""
        with self._lock:
            return bool(self._unfinished) or any(not running.abandoned for running in self._running)

    def _bring(self, jobs: Iterable[J], delay: float) -> None:
        for job in jobs:
            self._append(job, delay)

    def _append(self, job: J, delay: float) -> None:
        lane = self._lanes.get(job.lane)
        if lane is None:
            lane = self._lanes[job.lane] = Lane(job.lane, [job])
            self._continue(lane, delay)
            return
        lane.jobs.append(job)
        if lane.waits:
            self._park([job])

    def _start_worker(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{next(self._numbers)}", daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        while self._ready.get()():
            pass

    def _run(self, lane: Lane[J]) -> bool:
        """Run the first job of a lane; False when it hung, and this thread was replaced."""
        with self._lock:
            if self._stopping:
                return True
            running = Running(lane, lane.first, time.monotonic())
            self._running.add(running)
            self._watch_closely()
        return self._ran(running, guarded(running.job, running.job.run))

    def _ran(self, running: Running[J], answer: Answer | Later) -> bool:
        with self._lock:
            self._running.remove(running)
            if callable(answer) and not running.abandoned:
                self._unfinished.add(running.job)
        if running.abandoned:
            running.job.returned()
            return False
        if callable(answer):
            return self._see_to(running.lane, running.job, answer)
        self._finish(running.lane, running.job, answer)
        return True

    def _see_to(self, lane: Lane[J], job: J, later: Later) -> bool:
        finish = partial(self._finish, lane, job)
        failed = guarded(job, later, finish)
        if failed is not None:
            finish(failed)
        return True

    def _finish(self, lane: Lane[J], job: J, answer: Answer | Later) -> None:
        """Go on in a lane after a job, or with what is left of its run; may be called on any thread, and is quick."""
        with self._lock:
            if callable(answer):
                self._unfinished.add(job)
                self._ready.put(partial(self._see_to, lane, job, answer))
                return
            self._unfinished.discard(job)
            if answer is None:
                lane.jobs.remove(job)
            self._go_on(lane, answer or 0)
            self._release(job.kind)

    def _go_on(self, lane: Lane[J], delay: float) -> None:
        if not lane.jobs:
            del self._lanes[lane.key]
            return
        if delay and not lane.waits:
            self._park(itertools.islice(lane.jobs, 1, None))
        self._continue(lane, delay)

    def _continue(self, lane: Lane[J], delay: float) -> None:
        lane.waits = delay > 0
        if not delay:
            self._admit(lane)
            return
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._numbers), lane))
        self._woken.notify()

    def _admit(self, lane: Lane[J]) -> None:
        """Let the first job of a lane run, or hold its lane, and no thread, until fewer of its kind do."""
        kind = lane.first.kind
        self._held[kind].append(lane)
        self._fill(kind)

    def _release(self, kind: Hashable) -> None:
        self._admitted[kind] -= 1
        self._fill(kind)

    def _fill(self, kind: Hashable) -> None:
        held = self._held[kind]
        while held and self._admitted[kind] < held[0].first.concurrency:
            self._admitted[kind] += 1
            self._ready.put(partial(self._run, held.popleft()))

    def _park(self, jobs: Iterable[J]) -> None:
        """Have jobs told that their lane waits: in their order, so by one thread, and by none that has no time."""
        first = not self._behind
        self._behind.extend(jobs)
        if first and self._behind:
            self._ready.put(self._tell_behind)

    def _tell_behind(self) -> bool:
        while self._behind:
            guarded(self._behind[0], self._behind[0].park)
            with self._lock:
                self._behind.popleft()
        return True

    def _watch(self) -> None:
        """Wake lanes whose time has come, and abandon what runs too long."""
        while not self._stopping:
            with self._lock:
                now = time.monotonic()
                while self._timers and self._timers[0][0] <= now:
                    lane = heapq.heappop(self._timers)[2]
                    lane.waits = False
                    self._admit(lane)
                self._look(now)
                late = [running for running in self._running if running.overdue(now)]
                for running in late:
                    running.abandoned = True
            for running in late:
                if not running.lent:
                    self._start_worker()
                self._finish(running.lane, running.job, guarded(running.job, running.job.abandon))
            with self._lock:
                self._doze()

    def _look(self, now: float) -> None:
        """What else there is to be watched."""

    def _watch_closely(self) -> None:
        """Have the monitor know that something runs."""
        if self._dozes:
            self._woken.notify()

    def _doze(self) -> None:
        """Until the next look: timers are kept to, deadlines may be overrun by a tick."""
        due = self._timers[0][0] - time.monotonic() if self._timers else 60.0
        self._dozes = not self._under_watch()
        self._woken.wait(max(0.001, min(due, 1.0 if self._dozes else TICK)))
        self._dozes = False

    def _under_watch(self) -> bool:
        return bool(self._running)


def _end() -> bool:
    return False
