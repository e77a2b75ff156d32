"""What jobs that run in groups can expect: order, one commit for all, and nobody who waits for what takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from botplatform import codec
from botplatform.hosts.jobs import Answer, Later
from botplatform.hosts.local.groups import AHEAD_LIMIT, GROUP_LIMIT, GROUP_TIME, Groups
from botplatform.hosts.local.member import commit_alone
from botplatform.hosts.local.overlay import Overlay
from botplatform.state import State
from botplatform.store import Commit, Committed, Outcome, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import SOURCE, happened
from tests.hosts.local.machine import PATIENCE
from tests.mosquitto import eventually

Told = Callable[[Sequence[Committed | Exception]], None]
Act = Callable[[State], Answer | Later]


class Held:
    """A store that commits nothing while it is held."""

    def __init__(self, store: SqliteStore) -> None:
        self.beneath = store
        self.calls: list[list[str]] = []
        self.outcomes = store.outcomes
        self.read = store.read
        self.scan = store.scan
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def submit(self, commits: Sequence[Commit], told: Told) -> None:
        self.calls.append([commit.work.id for commit in commits])
        assert self._open.wait(PATIENCE)
        self.beneath.submit(commits, told)

    def value(self, key: str) -> Any:
        json = self.beneath.read(StateKey("demo", key)).json
        return None if json is None else codec.decode(json)


class Share:
    """A job that does something to the state of "demo", and is run again until that is committed."""

    def __init__(self, store: Held, id: str, act: Act = lambda _: None, lane: Hashable = "", **options: Any) -> None:
        self.lane = lane or id
        self.work = Work(SOURCE, id, "demo.handle")
        self.alone = options.get("alone", False)
        self.kind = options.get("kind", "any")
        self.concurrency = options.get("concurrency", 100)
        self.deadline = options.get("deadline", PATIENCE)
        self.expected = options.get("expected", 0.0)
        self._ahead = options.get("ahead", False)
        self.runs = 0
        self.heard: list[str] = []
        self._store = store
        self._act = act

    @property
    def done(self) -> bool:
        return "done" in self.heard

    def run(self) -> Answer | Later:
        came = self.attempt(Overlay(self._store, [self.work]))
        return partial(commit_alone, self._store, self, came) if isinstance(came, Commit) else came

    def attempt(self, store: Overlay) -> Commit | Answer | Later:
        self.runs += 1
        state = State(store, "demo", 0.0)
        answer = self._act(state)
        commit = Commit(self.work, happened(self.work.id), Outcome(), state.reads(), state.writes())
        return commit if answer is None else answer

    def tell_ahead(self, commit: Commit) -> Commit | None:
        if self._ahead:
            self.heard.append("ahead")
        return commit if self._ahead else None

    def told(self, commit: Commit, result: Committed | Exception) -> Answer:
        assert commit.work == self.work
        self.heard.append("done" if isinstance(result, Committed) else type(result).__name__)
        return None if isinstance(result, Committed) else 0.0

    def overran(self) -> None:
        self.alone = True
        self.heard.append("overran")

    def abandon(self) -> Answer:
        self.heard.append("abandon")
        return None

    def returned(self) -> None:
        self.heard.append("returned")

    def park(self) -> None:
        self.heard.append("park")


class Blocked:
    """Does nothing until it is released, and then something."""

    def __init__(self, then: Act = lambda _: None) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()
        self._then = then

    def __call__(self, state: State) -> Answer | Later:
        self.begun.set()
        assert self.released.wait(PATIENCE)
        return self._then(state)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Held]:
    store = SqliteStore(tmp_path / "state.db")
    held = Held(store)
    yield held
    held.release()
    store.close()


@pytest.fixture
def start(store: Held) -> Iterator[Callable[[float], Groups]]:
    running: list[Groups] = []

    def start(slow: float) -> Groups:
        running.append(Groups(8, "test", store, slow))
        return running[-1]

    yield start
    store.release()
    for groups in running:
        groups.stop(PATIENCE)


@pytest.fixture
def groups(start: Callable[[float], Groups]) -> Groups:
    """Groups that wait for every job."""
    return start(PATIENCE)


@pytest.fixture
def hasty(start: Callable[[float], Groups]) -> Groups:
    """Groups that soon go on without a job."""
    return start(0.25)


def together(groups: Groups, store: Held, *shares: Share) -> None:
    """Have jobs run in one group: while the commit of the group before is held, they have to wait."""
    store.hold()
    groups.submit(Share(store, "before"))
    eventually(lambda: store.calls == [["before"]])
    groups.submit_all(shares)
    store.release()


def count(state: State) -> None:
    state["count"] = state.get("count", 0) + 1


def append(id: str) -> Act:
    return lambda state: state.append("order", id)


# One after the other.


def test_what_is_ready_runs_in_one_thread_and_is_committed_at_once(groups: Groups, store: Held) -> None:
    threads: set[int] = set()
    shares = [Share(store, str(n), lambda _: threads.add(threading.get_ident())) for n in range(20)]
    together(groups, store, *shares)

    eventually(lambda: all(share.done for share in shares))
    assert store.calls == [["before"], [str(n) for n in range(20)]]
    assert len(threads) == 1


def test_each_sees_what_those_before_it_wrote_and_nobody_has_to_run_twice(groups: Groups, store: Held) -> None:
    shares = [Share(store, str(n), count, lane=n % 5) for n in range(50)]
    together(groups, store, *shares)

    eventually(lambda: all(share.done for share in shares))
    assert store.value("count") == 50
    assert [share.runs for share in shares] == [1] * 50


def test_jobs_of_one_lane_are_committed_in_their_order_under_load(groups: Groups, store: Held) -> None:
    shares = [
        Share(store, str(n), lambda state, n=n: state.append(f"lane {n % 7}", n), lane=n % 7) for n in range(2000)
    ]
    for share in shares:
        groups.submit(share)

    eventually(lambda: all(share.done for share in shares))
    assert all(store.value(f"lane {lane}") == list(range(lane, 2000, 7)) for lane in range(7))


def test_a_group_is_no_larger_than_its_time_allows(groups: Groups, store: Held) -> None:
    shares = [Share(store, str(n), expected=GROUP_TIME / 4) for n in range(10)]
    together(groups, store, *shares)

    eventually(lambda: all(share.done for share in shares))
    assert [len(call) for call in store.calls] == [1, 4, 4, 2]


def test_a_group_has_a_largest_size(groups: Groups, store: Held) -> None:
    shares = [Share(store, str(n), lane="a") for n in range(GROUP_LIMIT + 1)]
    together(groups, store, *shares)

    eventually(lambda: all(share.done for share in shares))
    assert [len(call) for call in store.calls] == [1, GROUP_LIMIT, 1]


def test_what_has_to_be_alone_is_in_no_group(groups: Groups, store: Held) -> None:
    shares = [Share(store, "quick"), Share(store, "alone", alone=True), Share(store, "also quick")]
    together(groups, store, *shares)

    eventually(lambda: all(share.done for share in shares))
    assert sorted(store.calls) == sorted([["before"], ["quick", "also quick"], ["alone"]])


# What fails.


def test_what_fails_holds_up_its_own_lane_only(groups: Groups, store: Held) -> None:
    failing = Share(store, "failing", lambda _: 3600.0, lane="a")
    behind, other = Share(store, "behind", lane="a"), Share(store, "other", lane="b")
    together(groups, store, failing, behind, other)

    eventually(lambda: other.done and behind.heard)
    assert (failing.runs, behind.runs, behind.heard) == (1, 0, ["park"])


def test_what_is_left_to_do_is_done_when_those_before_it_are_committed(groups: Groups, store: Held) -> None:
    first = Share(store, "first", append("first"), lane="a")
    seen: list[Any] = []

    def rest(finish: Callable[[Answer], None]) -> None:
        seen.append(store.value("order"))
        finish(None)

    groups_share = Share(store, "second", lambda _: rest, lane="a")
    third = Share(store, "third", append("third"), lane="a")
    together(groups, store, first, groups_share, third)

    eventually(lambda: third.done)
    assert (seen, store.value("order")) == ([["first"]], ["first", "third"])


def test_a_job_that_raises_leaves_the_others_alone(
    groups: Groups, store: Held, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: State) -> None:
        raise LookupError("a bug")

    broken, other = Share(store, "broken", fail), Share(store, "other")
    together(groups, store, broken, other)

    eventually(lambda: other.done)
    assert "a bug" in caplog.text


def test_when_one_cannot_be_committed_what_depends_on_it_runs_again_and_no_other(groups: Groups, store: Held) -> None:
    adds = [
        Share(store, "text", lambda state: state.set("count", "many")),
        Share(store, "number", lambda state: state.add("count")),
    ]
    adds[1].told = lambda _commit, result: adds[1].heard.append(type(result).__name__)  # type: ignore[assignment, method-assign]
    reader = Share(store, "reader", lambda state: state.set("seen", state.get("count")))
    other = Share(store, "other", append("other"))
    together(groups, store, *adds, other, reader)

    eventually(lambda: reader.done and other.done)
    assert adds[1].heard == ["TypeError"]
    assert (store.value("seen"), reader.runs, other.runs) == ("many", 2, 1)


def test_what_somebody_else_changed_meanwhile_is_read_again(groups: Groups, store: Held) -> None:
    def change_once(state: State) -> None:
        count(state)
        if changing.runs == 1:
            store.beneath.write({StateKey("demo", "count"): Write("put", b"100")})

    changing = Share(store, "changing", change_once)
    behind, other = Share(store, "behind", count), Share(store, "other", append("other"))
    together(groups, store, changing, behind, other)

    eventually(lambda: all(share.done for share in (changing, behind, other)))
    assert (store.value("count"), other.runs) == (102, 1)
    assert changing.heard == behind.heard == ["Conflict", "done"]


def test_no_job_is_committed_before_one_that_is_in_front_of_it(groups: Groups, store: Held) -> None:
    def conflict_once(state: State) -> None:
        state.append("order", f"first, run {first.runs} of {state.get('count', 0)}")
        if first.runs == 1:
            store.beneath.write({StateKey("demo", "count"): Write("put", b"7")})

    first = Share(store, "first", conflict_once, lane="a")
    second = Share(store, "second", append("second"), lane="a")
    together(groups, store, first, second)

    eventually(lambda: second.done)
    assert store.value("order") == ["first, run 2 of 7", "second"]


# What takes long.


def test_what_takes_long_is_left_behind_and_all_others_are_done_meanwhile(hasty: Groups, store: Held) -> None:
    slow = Blocked(append("slow"))
    shares = [Share(store, str(n), append(str(n))) for n in range(10)]
    late = Share(store, "late", slow, lane="a")
    behind = Share(store, "behind", append("behind"), lane="a")
    together(hasty, store, *shares[:5], late, behind, *shares[5:])

    eventually(lambda: all(share.done for share in shares))
    assert (late.heard, behind.runs) == (["overran"], 0)
    slow.released.set()
    eventually(lambda: behind.done)
    assert store.value("order") == [*map(str, range(10)), "slow", "behind"]
    assert late.runs == 1


def test_what_takes_long_and_saw_what_was_not_committed_is_run_again(hasty: Groups, store: Held) -> None:
    def see(state: State) -> None:
        state["seen"] = state.get("count")

    slow = Blocked(see)
    before, late = (
        Share(store, "counts", count),
        Share(store, "late", lambda state: (state.get("count"), slow(state))[1]),
    )
    together(hasty, store, before, late)
    eventually(lambda: before.done)

    slow.released.set()
    eventually(lambda: late.done)
    assert (late.runs, store.value("seen")) == (2, 1)


def test_what_takes_long_and_saw_what_came_to_nothing_is_run_again(hasty: Groups, store: Held) -> None:
    store.beneath.write({StateKey("demo", "text"): Write("put", b'"many"')})
    slow = Blocked(lambda _: None)

    def misfit(state: State) -> None:
        state.add("text")
        state["count"] = 5

    def see(state: State) -> None:
        count = state.get("count", 0)
        slow(state)
        state["seen"] = count

    before, late = Share(store, "misfit", misfit), Share(store, "late", see)
    before.told = lambda _commit, _result: 3600.0  # type: ignore[assignment, method-assign]
    together(hasty, store, before, late)
    eventually(lambda: late.heard == ["overran"])

    slow.released.set()
    eventually(lambda: late.done)
    assert store.value("seen") == 0


def test_what_takes_long_and_ends_before_its_group_is_committed_waits_for_that(hasty: Groups, store: Held) -> None:
    slow = Blocked(append("late"))

    def hold(state: State) -> Answer | Later:
        if late.runs == 1:
            store.hold()
        return slow(state)

    first, late = Share(store, "first", append("first"), lane="a"), Share(store, "late", hold, lane="a")
    together(hasty, store, first, late)
    eventually(lambda: store.calls[1:] == [["first"]])
    slow.released.set()
    eventually(lambda: any(group.postponed for group in hasty._flying))
    assert (first.runs, late.runs) == (1, 1)

    store.release()
    eventually(lambda: late.done)
    assert (first.runs, late.runs, store.value("order")) == (1, 2, ["first", "late"])


def test_what_takes_long_behind_another_of_its_lane_comes_after_it(hasty: Groups, store: Held) -> None:
    slow = Blocked(append("late"))
    before, late = Share(store, "first", append("first"), lane="a"), Share(store, "late", slow, lane="a")
    behind = Share(store, "behind", append("behind"), lane="a")
    together(hasty, store, before, late, behind)
    eventually(lambda: before.done)

    slow.released.set()
    eventually(lambda: behind.done)
    assert store.value("order") == ["first", "late", "behind"]


def test_what_hangs_is_given_up_at_its_deadline_and_what_it_does_late_is_ignored(hasty: Groups, store: Held) -> None:
    slow = Blocked(append("hung"))
    hung = Share(store, "hung", slow, lane="a", deadline=0.5)
    behind, other = Share(store, "behind", lane="a"), Share(store, "other")
    together(hasty, store, Share(store, "first", lane="a"), hung, behind, other)

    eventually(lambda: behind.done and other.done)
    assert hung.heard == ["overran", "abandon"]
    slow.released.set()
    eventually(lambda: "returned" in hung.heard)
    assert store.value("order") is None


def test_while_one_of_a_kind_takes_long_no_more_of_it_run_than_may(hasty: Groups, store: Held) -> None:
    slow = Blocked()
    late = Share(store, "late", slow, kind="one", concurrency=1)
    same = [Share(store, f"same {n}", kind="one", concurrency=1) for n in range(5)]
    others = [Share(store, f"other {n}") for n in range(5)]
    together(hasty, store, late, *same, *others)

    eventually(lambda: all(share.done for share in others))
    assert [share.runs for share in same] == [0] * 5
    slow.released.set()
    eventually(lambda: all(share.done for share in same))


# While a group is being committed.


def in_flight(groups: Groups, store: Held, *shares: Share) -> None:
    """Have the commit of jobs held."""
    store.hold()
    groups.submit_all(shares)
    eventually(lambda: store.calls)


def test_the_next_group_runs_while_the_one_before_is_being_committed(groups: Groups, store: Held) -> None:
    first, second = Share(store, "first"), Share(store, "second")
    in_flight(groups, store, first)
    groups.submit(second)
    eventually(lambda: store.calls == [["first"], ["second"]])
    assert not first.done

    store.release()
    eventually(lambda: first.done and second.done)


def test_what_is_behind_one_that_is_being_committed_waits_for_that(groups: Groups, store: Held) -> None:
    first, second, other = Share(store, "first", lane="a"), Share(store, "second", lane="a"), Share(store, "other")
    in_flight(groups, store, first)
    groups.submit_all([second, other])
    eventually(lambda: other.runs)
    assert second.runs == 0

    store.release()
    eventually(lambda: second.done)


@pytest.mark.parametrize("look", [count, lambda state: state.append("seen", *dict(state.items("c")))])
def test_who_reads_what_is_being_committed_waits_for_that_and_is_not_taken_for_slow(
    hasty: Groups, store: Held, look: Act
) -> None:
    second = Share(store, "second", look)
    in_flight(hasty, store, Share(store, "first", count))
    hasty.submit(second)
    eventually(lambda: second.runs)
    time.sleep(0.5)
    assert store.calls == [["first"]]

    store.release()
    eventually(lambda: second.done)
    assert (second.runs, second.heard) == (1, ["done"])
    assert (store.value("count"), store.value("seen")) in [(2, None), (1, ["count"])]


def test_who_reads_something_else_meanwhile_does_not_wait(groups: Groups, store: Held) -> None:
    second = Share(store, "second", lambda state: state.set("other", state.get("else")))
    in_flight(groups, store, Share(store, "first", count))
    groups.submit(second)
    eventually(lambda: store.calls == [["first"], ["second"]])


def test_what_comes_to_nothing_takes_nothing_of_the_next_group_along(groups: Groups, store: Held) -> None:
    first, second = Share(store, "first", count), Share(store, "second", append("second"))
    told = first.told

    def fails(_commit: Commit, _result: Committed | Exception) -> float:
        first.told = told  # type: ignore[method-assign]
        return 0.01

    first.told = fails  # type: ignore[assignment, method-assign]
    in_flight(groups, store, first)
    groups.submit(second)
    store.release()
    eventually(lambda: second.done and "done" in first.heard)
    assert (first.runs, second.runs) == (2, 1)


# What was told ahead of its commit.


def test_no_lane_waits_for_the_commit_of_what_was_told_ahead(groups: Groups, store: Held) -> None:
    first, second = Share(store, "first", lane="a", ahead=True), Share(store, "second", lane="a", ahead=True)
    store.hold()
    groups.submit(first)
    eventually(lambda: first.heard == ["ahead"])
    groups.submit(second)
    eventually(lambda: second.heard == ["ahead"])

    store.release()
    eventually(lambda: first.done and second.done)


def test_what_is_behind_one_that_was_told_ahead_in_its_group_goes_on(groups: Groups, store: Held) -> None:
    ahead, others = Share(store, "0", lane="a", ahead=True), [Share(store, n, append(n), lane="a") for n in "1234"]
    together(groups, store, ahead, *others)
    eventually(lambda: all(share.done for share in (ahead, *others)))
    assert store.value("order") == ["1", "2", "3", "4"]


def test_what_was_told_ahead_is_committed_with_the_next_group_that_somebody_waits_for(
    groups: Groups, store: Held
) -> None:
    store.hold()
    ahead = [Share(store, f"ahead {n}", ahead=True) for n in range(3)]
    groups.submit_all([*ahead, Share(store, "waited for")])
    eventually(lambda: store.calls)
    assert store.calls == [["waited for", "ahead 0", "ahead 1", "ahead 2"]]


def test_what_was_told_ahead_is_committed_when_it_is_much(groups: Groups, store: Held) -> None:
    shares = [Share(store, str(n), ahead=True) for n in range(AHEAD_LIMIT)]
    groups.submit_all(shares)
    eventually(lambda: all(share.done for share in shares))
    assert len(store.calls) <= 2


def test_stopping_commits_what_was_told_ahead(groups: Groups, store: Held) -> None:
    share = Share(store, "ahead", ahead=True)
    groups.submit(share)
    eventually(lambda: share.heard)
    assert groups.stop(PATIENCE)
    assert share.done


def test_stopping_waits_for_what_was_told_ahead_and_is_on_its_way_to_disk(groups: Groups, store: Held) -> None:
    store.hold()
    share = Share(store, "ahead", ahead=True)
    groups.submit(share)
    eventually(lambda: store.calls)
    assert not groups.stop(0.05)

    store.release()
    eventually(lambda: share.done)


# On a thread that is lent.


class Lender:
    """Brings jobs and lends its thread, until another one has to take over."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self.taken_over = threading.Event()

    def bring(self, *shares: Share) -> bool:
        """Whether this thread goes on with what it is for."""
        self._groups.submit_with_help(shares)
        return self._groups.help(self.taken_over.set)

    def bring_aside(self, *shares: Share) -> Future[bool]:
        thread = ThreadPoolExecutor(1)
        bringing = thread.submit(self.bring, *shares)
        thread.shutdown(wait=False)
        return bringing


def on_thread(ran: list[str]) -> Act:
    return lambda _: ran.append(threading.current_thread().name)


def test_what_somebody_brings_runs_on_their_thread(groups: Groups, store: Held) -> None:
    def ran_here() -> bool:
        ran: list[str] = []
        shares = [Share(store, str(n), on_thread(ran)) for n in range(GROUP_LIMIT + 1)]
        stays = Lender(groups).bring(*shares)
        done = all(share.done for share in shares)
        eventually(lambda: all(share.done for share in shares))
        return stays and done and {*ran} == {threading.current_thread().name}

    eventually(ran_here)  # at the first try, unless this machine has so much else to do that it is taken over from
    assert [len(call) for call in store.calls[-2:]] == [GROUP_LIMIT, 1]


def test_what_is_brought_by_somebody_who_never_helps_is_run_all_the_same(groups: Groups, store: Held) -> None:
    ran: list[str] = []
    share = Share(store, "1", on_thread(ran))
    groups.submit_with_help([share])
    eventually(lambda: share.done)
    assert threading.current_thread().name not in ran


def test_what_runs_already_is_left_to_its_thread(groups: Groups, store: Held) -> None:
    block = Blocked()
    before, behind = Share(store, "before", block), Share(store, "behind")
    groups.submit(before)
    assert block.begun.wait(PATIENCE)
    assert Lender(groups).bring(behind)
    assert not behind.runs

    block.released.set()
    eventually(lambda: before.done and behind.done)


def test_what_has_to_be_alone_runs_on_no_lent_thread(groups: Groups, store: Held) -> None:
    ran: list[str] = []
    share = Share(store, "1", on_thread(ran), alone=True)
    assert Lender(groups).bring(share)
    eventually(lambda: share.done)
    assert threading.current_thread().name not in ran


def test_a_thread_with_a_job_that_takes_long_is_taken_over_from(hasty: Groups, store: Held) -> None:
    block = Blocked()
    slow, other, lender = Share(store, "slow", block), Share(store, "other"), Lender(hasty)
    bringing = lender.bring_aside(slow, other)
    assert lender.taken_over.wait(PATIENCE)
    eventually(lambda: other.done)
    assert not bringing.done()

    block.released.set()
    assert bringing.result(PATIENCE) is False
    eventually(lambda: slow.done)


def test_a_thread_that_hangs_and_was_lent_is_not_missed_in_the_pool(hasty: Groups, store: Held) -> None:
    def size() -> int:
        return sum(thread.name.startswith("test-") for thread in threading.enumerate())

    block, before = Blocked(), size()
    hanging, lender = Share(store, "hanging", block, deadline=0.1), Lender(hasty)
    bringing = lender.bring_aside(hanging)
    eventually(lambda: "abandon" in hanging.heard)
    block.released.set()
    assert bringing.result(PATIENCE) is False
    assert "returned" in hanging.heard
    assert size() == before


def test_a_thread_whose_commit_takes_long_is_taken_over_from_and_the_next_is_not_asked(
    groups: Groups, store: Held
) -> None:
    store.hold()
    first, lender = Share(store, "first"), Lender(groups)
    bringing = lender.bring_aside(first)
    assert lender.taken_over.wait(PATIENCE)

    store.release()
    assert bringing.result(PATIENCE) is False
    assert first.done
    ran: list[str] = []
    second = Share(store, "second", on_thread(ran))
    assert Lender(groups).bring(second)
    eventually(lambda: second.done)
    assert threading.current_thread().name not in ran, "it would have to wait for the disk"

    def ran_here() -> bool:
        third = Share(store, f"after {len(ran)}", on_thread(ran))
        Lender(groups).bring(third)
        eventually(lambda: third.done)
        return ran[-1] == threading.current_thread().name

    eventually(ran_here)  # the disk is quick again


# Stopping.


def test_no_thread_is_lent_while_they_stop(groups: Groups, store: Held) -> None:
    assert groups.stop(PATIENCE)
    share = Share(store, "late")
    assert Lender(groups).bring(share)
    assert not share.runs


def test_stopping_waits_for_a_commit_and_starts_nothing_more(groups: Groups, store: Held) -> None:
    store.hold()
    first, second = Share(store, "first", lane="a"), Share(store, "second", lane="a")
    groups.submit(first)
    eventually(lambda: store.calls)
    groups.submit(second)
    assert groups.busy()
    assert not groups.stop(0.01)

    store.release()
    assert groups.stop(PATIENCE)
    assert (first.done, second.runs) == (True, 0)
