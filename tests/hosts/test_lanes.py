"""What jobs in lanes can expect: order in a lane, and no lane that waits for another."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator

import pytest

from botplatform.hosts.lanes import Lanes, backoff
from tests.hosts.local.machine import PATIENCE
from tests.mosquitto import eventually

Act = Callable[[], float | None]


class Do:
    """A job that does what it is told, and remembers what it was told of itself."""

    def __init__(
        self,
        act: Act = lambda: None,
        lane: Hashable = "a",
        *,
        deadline: float = PATIENCE,
        abandon: Act = lambda: None,
        kind: str = "any",
        concurrency: int = 100,
    ) -> None:
        self.act = act
        self.lane = lane
        self.kind = kind
        self.concurrency = concurrency
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
    eventually(lambda: late.told)

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


def test_as_many_jobs_of_a_kind_run_at_a_time_as_it_may_and_the_rest_holds_up_no_thread(
    lanes: Lanes, blocked: Blocked
) -> None:
    few = [Do(blocked, lane, kind="slow", concurrency=3) for lane in range(100)]
    others = [Do(lane=("quick", lane), kind="quick", concurrency=2) for lane in range(100)]
    for job in (*few, *others):
        lanes.submit(job)

    eventually(lambda: all(job.runs for job in others))
    assert sum(job.runs for job in few) == 3
    blocked.released.set()
    eventually(lambda: all(job.runs for job in few))


def test_no_more_of_a_kind_ever_run_at_a_time_under_load(lanes: Lanes) -> None:
    running, most, lock = [0], [0], threading.Lock()

    def act() -> float | None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.0005)
        with lock:
            running[0] -= 1
        return None

    jobs = [Do(act, number % 60, kind="limited", concurrency=4) for number in range(600)]
    for job in jobs:
        lanes.submit(job)
    eventually(lambda: all(job.runs for job in jobs))

    assert most == [4]


def test_a_job_that_waits_to_be_run_again_leaves_its_place_to_others_of_its_kind(lanes: Lanes) -> None:
    patient = Do(lambda: 3600.0, kind="one", concurrency=1)
    other = Do(lane="b", kind="one", concurrency=1)
    lanes.submit(patient)
    lanes.submit(other)

    eventually(lambda: other.runs)
    assert patient.runs == 1


def test_a_job_that_was_given_up_leaves_its_place_to_others_of_its_kind(lanes: Lanes, blocked: Blocked) -> None:
    hung = Do(blocked, deadline=0.05, kind="one", concurrency=1)
    other = Do(lane="b", kind="one", concurrency=1)
    lanes.submit(hung)
    lanes.submit(other)

    eventually(lambda: other.runs)
    assert hung.told == ["abandon"]


def test_a_kind_that_may_do_more_than_before_does(lanes: Lanes, blocked: Blocked) -> None:
    first = Do(lane="first", kind="one", concurrency=1)
    jobs = [Do(blocked, lane, kind="one", concurrency=1) for lane in range(5)]
    first.act = lambda: None if jobs[0].runs else 0.001
    for job in (*jobs, first):
        lanes.submit(job)
    assert blocked.begun.wait(PATIENCE)
    for job in (*jobs, first):
        job.concurrency = 5

    lanes.submit(Do(lane="another", kind="one", concurrency=5))
    eventually(lambda: sum(job.runs for job in jobs) == 5)


@pytest.mark.parametrize(("attempts", "longest"), [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (1000, 300)])
def test_the_pause_between_attempts_is_anything_up_to_a_longest_that_doubles_to_five_minutes(
    attempts: int, longest: float
) -> None:
    pauses = [backoff(attempts) for _ in range(1000)]

    assert all(0 < pause <= longest for pause in pauses)
    tenths = Counter(int(10 * pause / longest) for pause in pauses)
    assert all(40 < tenths[tenth] < 200 for tenth in range(10))  # each has 100, give or take 6 standard deviations
