"""What jobs in lanes can expect: order in a lane, and no lane that waits for another."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator

import pytest

from botplatform.hosts.lanes import Lanes, backoff
from tests.hosts.local.machine import PATIENCE
from tests.mosquitto import eventually

Act = Callable[[], float | None]


class Do:
    """A job that does what it is told, and remembers what it was told of itself."""

    def __init__(
        self, act: Act = lambda: None, lane: Hashable = "a", *, deadline: float = PATIENCE, abandon: Act = lambda: None
    ) -> None:
        self.act = act
        self.lane = lane
        self.deadline = deadline
        self.runs = 0
        self.on_abandon = abandon
        self.told: list[str] = []

    def run(self) -> float | None:
        self.runs += 1
        return self.act()

    def abandon(self) -> float | None:
        self.told.append("abandon")
        return self.on_abandon()

    def returned(self) -> None:
        self.told.append("returned")

    def park(self) -> None:
        self.told.append("park")


class Blocked:
    """Does nothing until it is released; knows when it has begun."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.released.wait(PATIENCE)


@pytest.fixture
def blocked() -> Iterator[Blocked]:
    blocked = Blocked()
    yield blocked
    blocked.released.set()


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    lanes = Lanes(16, "test")
    yield lanes
    lanes.stop(PATIENCE)


@pytest.fixture
def single() -> Iterator[Lanes]:
    lanes = Lanes(1, "test")
    yield lanes
    lanes.stop(0)


def test_jobs_of_one_lane_run_in_order_and_one_at_a_time_under_load(lanes: Lanes) -> None:
    seen: dict[int, list[int]] = defaultdict(list)
    running: dict[int, threading.Lock] = defaultdict(threading.Lock)

    def job(lane: int, number: int) -> Do:
        def act() -> float | None:
            with_nobody = running[lane].acquire(blocking=False)
            seen[lane].append(number if with_nobody else -1)
            running[lane].release()
            return 0.001 if number % 7 == 0 and seen[lane].count(number) < 3 else None

        return Do(act, lane)

    for number in range(50):
        for lane in range(30):
            lanes.submit(job(lane, number))
    eventually(lambda: all(seen[lane][-1:] == [49] and len(seen[lane]) == 66 for lane in range(30)))

    expected = [number for number in range(50) for _ in range(3 if number % 7 == 0 else 1)]
    assert all(seen[lane] == expected for lane in range(30))


def test_jobs_of_different_lanes_run_side_by_side(lanes: Lanes) -> None:
    together = threading.Barrier(16, timeout=PATIENCE)

    def meet() -> None:
        together.wait()

    for lane in range(16):
        lanes.submit(Do(meet, lane))

    eventually(lambda: not lanes.busy())
    assert not together.broken


def test_a_job_that_wants_to_be_run_again_holds_up_its_own_lane_only(single: Lanes) -> None:
    patient, behind, other = Do(lambda: 3600.0), Do(), Do(lane="b")
    for job in (patient, behind, other):
        single.submit(job)

    eventually(lambda: other.runs)
    assert (patient.runs, behind.runs) == (1, 0)


def test_jobs_behind_one_that_waits_are_told_whether_they_came_before_or_after(single: Lanes, blocked: Blocked) -> None:
    def act() -> float:
        blocked()
        return 3600.0

    first, early, late = Do(act), Do(), Do()
    single.submit(first)
    single.submit(early)
    blocked.released.set()
    eventually(lambda: early.told)
    single.submit(late)

    assert (first.told, early.told, late.told) == ([], ["park"], ["park"])


def test_a_job_may_begin_with_a_delay(single: Lanes) -> None:
    later, never = Do(), Do(lane="b")
    single.submit(never, delay=3600)
    single.submit(later, delay=0.01)

    eventually(lambda: later.runs)
    assert never.runs == 0


def test_a_job_that_hangs_is_given_up_and_its_thread_replaced(single: Lanes, blocked: Blocked) -> None:
    hung, behind, other = Do(blocked, deadline=0.05), Do(), Do(lane="b")
    for job in (hung, behind, other):
        single.submit(job)

    eventually(lambda: behind.runs and other.runs)
    assert hung.told == ["abandon"]


def test_a_job_that_was_given_up_may_be_run_again_and_what_it_answers_late_is_ignored(
    single: Lanes, blocked: Blocked
) -> None:
    acts: Iterator[Act] = iter([blocked, lambda: None])
    hung, behind = Do(lambda: next(acts)(), deadline=0.05, abandon=lambda: 0.01), Do()
    single.submit(hung)
    single.submit(behind)
    eventually(lambda: behind.runs)

    blocked.released.set()
    eventually(lambda: "returned" in hung.told)
    assert (hung.runs, behind.runs) == (2, 1)


def fail() -> None:
    raise LookupError("a bug")


def test_a_job_that_raises_takes_no_thread_along(single: Lanes, caplog: pytest.LogCaptureFixture) -> None:
    broken, other = Do(fail), Do(lane="b")
    single.submit(broken)
    single.submit(other)

    eventually(lambda: other.runs)
    assert "a bug" in caplog.text


def test_a_job_that_raises_when_it_is_given_up_does_not_keep_others_from_being_given_up(
    single: Lanes, blocked: Blocked, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [Do(blocked, lane, deadline=0.05, abandon=fail) for lane in range(3)]
    for job in jobs:
        single.submit(job)

    eventually(lambda: all(job.told == ["abandon"] for job in jobs))
    assert "a bug" in caplog.text


def test_lanes_are_busy_while_a_job_runs_or_could_but_not_while_all_wait(single: Lanes, blocked: Blocked) -> None:
    assert not single.busy()
    single.submit(Do(blocked))
    single.submit(Do(lambda: 3600.0, lane="b"))
    blocked.begun.wait(PATIENCE)
    assert single.busy()

    blocked.released.set()
    eventually(lambda: not single.busy())


def test_stopping_waits_for_what_runs_and_starts_nothing_more(single: Lanes, blocked: Blocked) -> None:
    behind, other = Do(), Do(lane="b")
    for job in (Do(blocked), behind, other):
        single.submit(job)
    blocked.begun.wait(PATIENCE)
    threading.Timer(0.02, blocked.released.set).start()

    assert single.stop(PATIENCE)
    assert (behind.runs, other.runs) == (0, 0)


def test_stopping_says_when_something_still_runs(single: Lanes, blocked: Blocked) -> None:
    single.submit(Do(blocked))
    blocked.begun.wait(PATIENCE)

    assert not single.stop(0.01)


@pytest.mark.parametrize(("attempts", "longest"), [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (1000, 300)])
def test_the_pause_between_attempts_doubles_up_to_five_minutes(attempts: int, longest: float) -> None:
    pauses = [backoff(attempts) for _ in range(100)]

    assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert len(set(pauses)) > 90
