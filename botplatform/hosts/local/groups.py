"""Lanes in which quick jobs run in groups: one after the other in one thread, and with one commit for all of them."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from botplatform.hosts.jobs import Answer, Finish, Job, Later, guarded
from botplatform.hosts.lanes import Lanes, Running
from botplatform.hosts.local.overlay import Beneath, Overlay
from botplatform.store import Commit, Committed, Work

# More in a group gain little, and the first waits for the last: this many jobs, and this many seconds.
GROUP_LIMIT = 512
GROUP_TIME = 0.01
# Seconds after which the others in its group wait no longer for a job.
SLOW = 0.05

Told = Callable[[Sequence[Committed | Exception]], None]
Came = Commit | Answer | Later
"""Of an attempt: what is to be committed, or else what is left to do."""


class GroupStore(Beneath, Protocol):
    """What the jobs read, and where their commits go."""

    def submit(self, commits: Sequence[Commit], told: Told) -> None:
        """Commit all at once, without waiting; see `SqliteStore.submit`."""


class Member(Job, Protocol):
    """A job that may run in a group."""

    work: Work

    @property
    def alone(self) -> bool:
        """Whether it has to be run by itself, by `run`."""

    @property
    def expected(self) -> float:
        """How many seconds it will probably take."""

    def attempt(self, store: Overlay) -> Came:
        """Run on what `store` has."""

    def told(self, commit: Commit, result: Committed | Exception) -> Answer | Later:
        """Learn what came of a commit; the answer is as that of `run`. Called on the store's own thread: be quick."""

    def overran(self) -> None:
        """Learn that the others in the group do not wait for it any longer."""


def _sociable(job: Member) -> bool:
    return not job.alone


def commit_alone(store: GroupStore, job: Member, commit: Commit, finish: Finish) -> None:
    """What is left of a run that was in no group."""
    store.submit([commit], lambda results: finish(guarded(job, lambda: job.told(commit, results[0]))))


@dataclass(eq=False)
class _Group:
    overlay: Overlay
    waiting: deque[Member]
    kinds: set[Hashable]  # of each, it counts as one run
    lanes: dict[Hashable, None] = field(default_factory=dict)  # in which one has begun
    stopped: set[Hashable] = field(default_factory=set)  # in which no other one is to begin
    running: Running[Member] | None = None
    ran: list[tuple[Member, Commit]] = field(default_factory=list)
    left: list[tuple[Member, Answer | Later]] = field(default_factory=list)  # what was not to be committed
    slow: Running[Member] | None = None
    postponed: list[tuple[Member, Answer | Later]] = field(default_factory=list)  # what became of that

    def begin(self) -> Running[Member] | None:
        """The next job, None when there is none."""
        while self.waiting:
            job = self.waiting.popleft()
            if job.lane not in self.stopped:
                self.overlay.seen = job.lane in self.lanes
                self.lanes[job.lane] = None
                self.running = Running(job, time.monotonic())
                return self.running
        self.running = None
        return None

    def took(self, job: Member, came: Came) -> None:
        """Note what came of a job; when those before it come to nothing, what depends on them has to, too."""
        if isinstance(came, Commit):
            self.ran.append((job, Commit(*came[:-1], chained=True) if self.overlay.seen else came))
            self.overlay.write(came.writes)
        else:
            self.left.append((job, came))
            self.stopped.add(job.lane)


class Groups(Lanes[Member]):
    """Runs what is quick in groups, one at a time, and what is not, or has to be alone, as `Lanes` do.

    Each job of a group sees what those before it wrote. One that takes more than `slow` seconds all the same is left to
    its thread.
    """

    def __init__(self, threads: int, name: str, store: GroupStore, slow: float = SLOW) -> None:
        self._store = store
        self._slow = slow
        self._quick: deque[Hashable] = deque()  # lanes for the next group
        self._group: _Group | None = None  # that runs, or is being committed
        self._called = False
        super().__init__(threads, name)

    def _under_way(self) -> bool:
        return self._group is not None or super()._under_way()

    def _under_watch(self) -> bool:
        return bool(self._group and self._group.running) or super()._under_watch()

    def _admit(self, key: Hashable) -> None:
        if self._first(key).alone:
            super()._admit(key)
        else:
            self._quick.append(key)
            self._call()

    def _fill(self, kind: Hashable) -> None:
        held = self._held[kind]
        if held and not self._first(held[0]).alone:  # by now it is known to be quick
            self._quick.extend(held)
            held.clear()
        super()._fill(kind)
        self._call()

    def _first(self, key: Hashable) -> Member:
        return self._lanes[key].jobs[0]

    def _call(self) -> None:
        """Have the next group run, unless there is one that will see to it when it is done."""
        if self._quick and self._group is None and not self._called:
            self._called = True
            self._ready.put(self._run_group)

    def _run_group(self) -> bool:
        with self._lock:
            if self._stopping:
                return True
            group = self._gather()
            running = group.begin()
            self._watch_closely()
        while running:
            came = guarded(running.job, partial(running.job.attempt, group.overlay))
            with self._lock:
                apart = running is not group.running
                if not apart:
                    group.took(running.job, came)
                    following = None if self._stopping else group.begin()
            if apart:
                return self._ran(running, self._apart(group, running, came))
            running = following
        return self._commit(group)

    def _gather(self) -> _Group:
        self._called = False
        jobs, kinds, seconds = deque[Member](), set[Hashable](), 0.0
        while self._quick and len(jobs) < GROUP_LIMIT and seconds < GROUP_TIME:
            key = self._quick.popleft()
            first = self._first(key)
            if first.alone:
                super()._admit(key)
            elif self._has_place(kinds, first):
                for job in itertools.takewhile(_sociable, self._lanes[key].jobs):
                    jobs.append(job)
                    seconds += jobs[-1].expected
                    if len(jobs) >= GROUP_LIMIT or seconds >= GROUP_TIME:
                        break
            else:
                self._held[first.kind].append(key)
        self._group = _Group(Overlay(self._store, [job.work for job in jobs]), jobs, kinds)
        return self._group

    def _has_place(self, kinds: set[Hashable], job: Member) -> bool:
        if job.kind not in kinds:
            if self._admitted[job.kind] >= job.concurrency:
                return False
            self._admitted[job.kind] += 1
            kinds.add(job.kind)
        return True

    def _apart(self, group: _Group, running: Running[Member], came: Came) -> Answer | Later:
        """What is left of a job that its group went on without; if it saw what was not committed, it is run again."""
        job = running.job
        if isinstance(came, Commit):
            return 0.0 if group.overlay.seen else partial(commit_alone, self._store, job, came)
        return came

    def _look(self, now: float) -> None:
        """Have the group go on without a job that takes long."""
        group = self._group
        running = group and group.running
        if group and running and now - running.began >= min(self._slow, running.job.deadline):
            group.running, group.slow = None, running
            group.stopped.add(running.job.lane)
            group.kinds.discard(running.job.kind)  # its place goes with it
            self._running.add(running)
            running.job.overran()
            self._ready.put(partial(self._commit, group))

    def _commit(self, group: _Group) -> bool:
        with self._lock:
            group.running = None
            self._quick.extendleft(reversed({job.lane: None for job in group.waiting if job.lane not in group.lanes}))
        if group.ran:
            self._store.submit([commit for _, commit in group.ran], partial(self._told, group))
        else:
            self._told(group, [])
        return True

    def _told(self, group: _Group, results: Sequence[Committed | Exception]) -> None:
        committed = zip(group.ran, results, strict=True)
        came = [(job, guarded(job, partial(job.told, commit, result))) for (job, commit), result in committed]
        came += group.left
        # In each lane, it goes on with the first that is not finished.
        unfinished = {job.lane: (job, answer) for job, answer in reversed(came) if answer is not None}
        with self._lock:
            for done, answer in came:
                if answer is None:
                    self._lanes[done.lane].jobs.remove(done)
            if group.slow:
                del group.lanes[group.slow.job.lane]
            for key in group.lanes:
                self._resume(key, *unfinished.get(key, (None, 0)))
            self._group = None
            for kind in group.kinds:
                self._release(kind)
            self._call()
        for slow, answer in group.postponed:
            self._finish(slow, answer)

    def _resume(self, key: Hashable, job: Member | None, answer: Answer | Later) -> None:
        if not callable(answer):
            self._go_on(key, answer or 0)
        elif job:
            self._admitted[job.kind] += 1
            self._unfinished.add(job)
            self._ready.put(partial(self._see_to, job, answer))

    def _finish(self, job: Member, answer: Answer | Later) -> None:
        """Where the group of a slow job is not committed, those before it in its lane may be in there: it waits."""
        with self._lock:
            group = self._group
            postponed = bool(group and group.slow and group.slow.job is job)
            if postponed and group:
                group.postponed.append((job, answer))
        if not postponed:
            super()._finish(job, answer)
