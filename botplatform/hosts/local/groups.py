"""Lanes in which quick jobs run in groups: one after the other in one thread, and with one commit for all of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial

from botplatform.hosts.jobs import Answer, Later, guarded
from botplatform.hosts.lanes import TICK, Lane, Lanes, Running
from botplatform.hosts.local.group import Group
from botplatform.hosts.local.member import GroupStore, Member, apart, told_ahead
from botplatform.hosts.local.overlay import Overlay
from botplatform.store import Commit, Committed

# More in a group gain little, and the first waits for the last: this many jobs, and this many seconds.
GROUP_LIMIT = 512
GROUP_TIME = 0.01
# So much of what was told ahead of its commit goes to disk at once; less goes with the next group, or the next look.
AHEAD_LIMIT = 128
# Seconds after which the others in its group wait no longer for a job.
SLOW = 0.05
_Lane = Lane[Member]


class Groups(Lanes[Member]):
    """Runs what is quick in groups, one at a time, and what is not, or has to be alone, as `Lanes` do.

    Each job of a group sees what those before it wrote. One that takes more than `slow` seconds all the same is left to
    its thread. The next group runs when this one is committed, for both would only fight for the interpreter. Only
    where that takes long, as a commit does on a slow disk, it runs meanwhile, with what waits for nothing of this one.

    Whoever brings jobs may lend its own thread to run them: to wake another one takes as long as a quick job itself.
    """

    def __init__(self, threads: int, name: str, store: GroupStore, slow: float = SLOW) -> None:
        self._store = store
        self._slow = slow
        self._quick: deque[_Lane] = deque()  # lanes for the next group
        self._group: Group | None = None  # that runs
        self._flying: list[Group] = []  # that are being committed
        self._ahead: list[tuple[Member, Commit]] = []  # what was told and is not on its way to disk yet
        self._catching_up = 0  # how many calls of the store have nothing but such
        self._called = False
        self._helped: float | None = None  # since when, by `time.monotonic`, somebody lends a thread
        self._brisk = True  # whether the last commit took no longer than a thread is lent for
        super().__init__(threads, name)

    def stop(self, timeout: float) -> bool:
        """As for all lanes; what was told ahead is committed then."""
        with self._lock:
            self._stopping = True  # from now on, nothing is left for later
        self._catch_up()
        return super().stop(timeout)

    def submit_with_help(self, jobs: Iterable[Member]) -> None:
        """As `submit_all`, by a thread that calls `help` as soon as it can: no other one is woken."""
        with self._lock:
            self._helped = time.monotonic() if self._brisk else None
            super()._bring(jobs, 0)
            self._call()
            self._watch_closely()

    def help(self, take_over: Callable[[], None]) -> bool:
        """Run what is quick on this thread, as long as there is any.

        When a job, or a commit, turns out to take long, `take_over` is called from another thread, has to be quick, and
        sees to it that somebody else does what this one is for; it then returns False, whenever that will be.
        """
        while group := self._lent(take_over):
            self._run_all(group)
            with self._lock:
                group.lent = None
                if group.kept:
                    return False
        return True

    def _lent(self, take_over: Callable[[], None]) -> Group | None:
        """The next group for a thread that is lent, None when there is none for it."""
        with self._lock:
            if self._helped is None or self._stopping or self._called or not self._quick:
                self._helped = None
                self._call()
            if self._helped is None or self._occupied():
                return None  # behind somebody else's group it is waited for: to be told of that brings it here again
            group = self._gather()
            group.lent = take_over
            self._helped = time.monotonic()
            return group

    def _bring(self, jobs: Iterable[Member], delay: float) -> None:
        self._helped = None  # whoever brings these helps nobody
        super()._bring(jobs, delay)
        self._call()

    def _under_way(self) -> bool:
        return bool(self._group or self._flying or self._ahead or self._catching_up) or super()._under_way()

    def _under_watch(self) -> bool:
        watched = self._helped or self._ahead or self._flying or (self._group and self._group.running)
        return bool(watched) or super()._under_watch()

    def _admit(self, lane: _Lane) -> None:
        if lane.first.alone:
            super()._admit(lane)
        else:
            self._quick.append(lane)  # whoever admits lanes calls for the next group when all are admitted

    def _fill(self, kind: Hashable) -> None:
        held = self._held[kind]
        if held and not held[0].first.alone:  # by now it is known to be quick
            self._quick.extend(held)
            held.clear()
        super()._fill(kind)
        self._call()

    def _call(self) -> None:
        """Have the next group run, unless somebody comes for it who helps or will when the one that runs is done."""
        if self._quick and self._helped is None and not (self._called or self._occupied()):
            self._called = True
            self._ready.put(self._run_group)

    def _occupied(self) -> bool:
        """Whether there is a group that the next one waits for."""
        return self._group is not None or any(group.ran and not group.late for group in self._flying)

    def _run_group(self) -> bool:
        with self._lock:
            self._called = False
            if self._stopping:
                return True
            group = self._gather()
        return self._run_all(group)

    def _run_all(self, group: Group) -> bool:
        with self._lock:
            running = group.begin()
            self._watch_closely()
        while running:
            lane, job = running
            came = guarded(job, job.attempt, group.overlay)
            with self._lock:
                slow = None if group.running is running else group.slow
                if slow is None:
                    group.took(lane, job, came)
                    running = None if self._stopping else group.begin()
            if slow:
                return self._ran(slow, apart(self._store, job, came, group.overlay.seen))
        return self._commit(group)

    def _gather(self) -> Group:
        jobs: deque[tuple[_Lane, Member]] = deque()
        kinds: set[Hashable] = set()
        seconds = 0.0
        while self._quick and len(jobs) < GROUP_LIMIT and seconds < GROUP_TIME:
            lane = self._quick.popleft()
            first = lane.first
            if first.alone:
                super()._admit(lane)
            elif first.kind in kinds or self._has_place(kinds, first):
                for job in lane.jobs:
                    if job is not first and (len(jobs) >= GROUP_LIMIT or seconds >= GROUP_TIME or job.alone):
                        break
                    jobs.append((lane, job))
                    seconds += job.expected
            else:
                self._held[lane.first.kind].append(lane)
        flying = [group.overlay for group in self._flying]
        self._group = Group(Overlay(self._store, [job.work for _, job in jobs], flying), jobs, kinds)
        return self._group

    def _has_place(self, kinds: set[Hashable], job: Member) -> bool:
        if self._admitted[job.kind] >= job.concurrency:
            return False
        self._admitted[job.kind] += 1
        kinds.add(job.kind)
        return True

    def _look(self, now: float) -> None:
        """Have what was told ahead committed, and the group go on without a job that takes long."""
        if self._ahead:
            self._ready.put(self._catch_up)
        for flying in self._flying:
            flying.late = now - flying.began >= TICK
            if flying.late:
                flying.keep_thread()
        group = self._group
        if self._helped and now - self._helped >= TICK and not (group or self._flying):
            self._helped = None  # it may come much later, or never
        self._call()
        if group is None or group.running is None:
            return
        lane, job = group.running
        if group.overlay.waits:
            group.began = now  # that is not its fault
        elif now - group.began >= min(self._slow, job.deadline):
            group.running, group.slow = None, Running(lane, job, group.began, lent=group.lent is not None)
            group.keep_thread()
            group.stopped.add(lane)
            group.kinds.discard(job.kind)  # its place goes with it
            self._running.add(group.slow)
            job.overran()
            self._ready.put(partial(self._commit, group))

    def _commit(self, group: Group) -> bool:
        group.tell_ahead()
        with self._lock:
            self._go_on_without(group)
            self._flying.append(group)
            self._group = None
            for kind in group.kinds:
                self._release(kind)
            self._ahead += [(job, commit) for _, job, commit in group.ahead]
            ahead = []
            if group.ran or self._stopping or len(self._ahead) >= AHEAD_LIMIT:
                ahead, self._ahead = self._ahead, []
            self._call()
        self._submit(group, ahead)
        return True

    def _catch_up(self) -> bool:
        """Commit what was told ahead."""
        with self._lock:
            ahead, self._ahead = self._ahead, []
            self._catching_up += bool(ahead)
        if ahead:
            self._store.submit([commit for _, commit in ahead], partial(self._caught_up, ahead))
        return True

    def _caught_up(self, ahead: Sequence[tuple[Member, Commit]], results: Sequence[Committed | Exception]) -> None:
        told_ahead(ahead, results)
        with self._lock:
            self._catching_up -= 1

    def _submit(self, group: Group, ahead: Sequence[tuple[Member, Commit]]) -> None:
        commits = [commit for _, _, commit in group.ran] + [commit for _, commit in ahead]

        def told(results: Sequence[Committed | Exception]) -> None:
            told_ahead(ahead, results[len(group.ran) :])
            self._told(group, results[: len(group.ran)])

        if commits:
            self._store.submit(commits, told)
        else:
            told(())

    def _go_on_without(self, group: Group) -> None:
        """Go on in the lanes where nothing of a group has to be waited for."""
        group.running = None
        again = {lane: None for lane, _ in group.waiting if lane not in group.lanes}
        self._quick.extendleft(reversed(again))
        for lane, job, _ in group.ahead:
            lane.jobs.remove(job)
        waited_for = {lane for lane, _, _ in (*group.ran, *group.left)} | ({group.slow.lane} if group.slow else set())
        for lane in {lane: None for lane, _, _ in group.ahead if lane not in waited_for}:
            del group.lanes[lane]
            self._go_on(lane, 0)

    def _told(self, group: Group, results: Sequence[Committed | Exception]) -> None:
        committed = zip(group.ran, results, strict=True)
        came = [(lane, job, guarded(job, job.told, commit, result)) for (lane, job, commit), result in committed]
        came += group.left
        # In each lane, it goes on with the first that is not finished.
        unfinished = {lane: (job, answer) for lane, job, answer in reversed(came) if answer is not None}
        with self._lock:
            for lane, job, answer in came:
                if answer is None:
                    lane.jobs.remove(job)
            if group.slow:
                del group.lanes[group.slow.lane]
            for lane in group.lanes:
                if lane in unfinished:
                    self._resume(lane, *unfinished[lane])
                else:
                    self._go_on(lane, 0)
            self._flying.remove(group)
            self._brisk = not group.late
            self._call()
        group.overlay.landed()
        for postponed in group.postponed:
            self._finish(*postponed)

    def _resume(self, lane: _Lane, job: Member, answer: Answer | Later) -> None:
        if not callable(answer):
            self._go_on(lane, answer or 0)
        else:
            self._admitted[job.kind] += 1
            self._unfinished.add(job)
            self._ready.put(partial(self._see_to, lane, job, answer))

    def _finish(self, lane: _Lane, job: Member, answer: Answer | Later) -> None:
        """Where the group of a slow job is not committed, those before it in its lane may be in there: it waits."""
        with self._lock:
            groups = [group for group in (*self._flying, self._group) if group and group.slow and group.slow.job is job]
            for group in groups:
                group.postponed.append((lane, job, answer))
        if not groups:
            super()._finish(lane, job, answer)
