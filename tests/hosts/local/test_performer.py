"""What becomes of an effect after its commit."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from botplatform import Rejected, Retry
from botplatform.effect import Effect
from botplatform.errors import NotAttempted, Overloaded, StateUnavailable
from botplatform.hosts.local.performer import ATTEMPTS, CONCURRENCY, Performer
from botplatform.source import EffectRequest
from botplatform.store import Commit, Outcome, PendingEffect, Work
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import SOURCE, happened
from tests.hosts.local.machine import PATIENCE
from tests.mosquitto import eventually

Do = Callable[[Mapping[str, Any], str], Mapping[str, Any]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", synchronous="OFF")
    yield store
    store.close()


@pytest.fixture
def start(store: SqliteStore) -> Iterator[Callable[[Do], Performer]]:
    """Starts a performer with one effect, `call`, that tries again at once."""
    performers: list[Performer] = []

    def start(do: Do) -> Performer:
        performer = Performer(store)
        performer.effects = {"call": Effect("call", do, "a test")}
        performer.backoff = lambda attempts: 0.001 * attempts
        performer.pause = 0.001
        performers.append(performer)
        return performer

    yield start
    for performer in performers:
        performer.stop(0.1)


Start = Callable[[Do], Performer]


def committed(store: SqliteStore, *bodies: Any, order: str = "", id: str = "1") -> list[PendingEffect]:
    requests = [EffectRequest("call", {"body": body}, order) for body in bodies]
    work = Work(SOURCE, id, "demo.handle")
    return list(store.commit(Commit(work, happened(id), Outcome(), effects=requests)).effects)


def logged(store: SqliteStore) -> list[tuple[str, int, Any]]:
    """What the log says of the effects: status, attempts and result, the newest first."""
    return [(entry["status"], entry["attempts"], entry["result"]) for entry in store.log.effects("call")]


def noted(asked: list[int]) -> Callable[[int], float]:
    """A short backoff that notes what it was asked for."""

    def backoff(attempts: int) -> float:
        asked.append(attempts)
        return 0.001

    return backoff


class Calls:
    """Notes each call, after it has raised what is still to be raised."""

    def __init__(self, *errors: Exception) -> None:
        self.bodies: list[Any] = []
        self.keys: list[str] = []
        self._errors = list(errors)

    def __call__(self, arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        self.keys.append(key)
        if self._errors:
            raise self._errors.pop(0)
        self.bodies.append(arguments["body"])
        return {"id": "7"}


def test_an_effect_is_performed_and_marked_with_what_came_of_it(store: SqliteStore, start: Start) -> None:
    calls = Calls()
    start(calls).perform(committed(store, "hi"))

    eventually(lambda: logged(store) == [("performed", 1, {"id": "7"})])
    assert calls.bodies == ["hi"]
    assert store.pending() == []


def test_an_effect_that_is_handed_over_twice_is_performed_once(store: SqliteStore, start: Start) -> None:
    released = threading.Event()
    bodies: list[Any] = []

    def call(arguments: Mapping[str, Any], _: str) -> Mapping[str, Any]:
        assert released.wait(PATIENCE)
        bodies.append(arguments["body"])
        return {}

    performer = start(call)
    pending = committed(store, "hi")
    performer.perform(pending)
    performer.perform(store.pending())
    released.set()

    eventually(lambda: not performer.busy())
    assert bodies == ["hi"]


def test_effects_of_one_order_are_performed_in_it_though_some_fail(store: SqliteStore, start: Start) -> None:
    performed: dict[str, list[int]] = defaultdict(list)
    tried: set[tuple[str, int]] = set()

    def call(arguments: Mapping[str, Any], _: str) -> Mapping[str, Any]:
        to, number = arguments["body"]
        if number % 5 == 2 and (to, number) not in tried:
            tried.add((to, number))
            raise Retry("not yet")
        performed[to].append(number)
        return {}

    performer = start(call)
    for n in range(30):
        for to in ("a", "b", "c"):
            performer.perform(committed(store, [to, n], order=to, id=f"{to}.{n}"))

    eventually(lambda: store.pending() == [])
    assert performed == {to: list(range(30)) for to in ("a", "b", "c")}


def test_an_effect_that_waits_holds_up_its_own_order_only(store: SqliteStore, start: Start) -> None:
    bodies: list[Any] = []

    def call(arguments: Mapping[str, Any], _: str) -> Mapping[str, Any]:
        if arguments["body"] == "waits":
            raise Retry("too many requests", after=3600)
        bodies.append(arguments["body"])
        return {}

    performer = start(call)
    performer.perform(committed(store, "waits", "behind", order="a", id="1"))
    performer.perform(committed(store, "other", order="b", id="2"))
    performer.perform(committed(store, "unordered", id="3"))

    eventually(lambda: sorted(bodies) == ["other", "unordered"])
    assert [effect.request.arguments["body"] for effect in store.pending()] == ["waits", "behind"]


def test_a_retry_waits_as_long_as_it_says_and_else_as_the_backoff_says(store: SqliteStore, start: Start) -> None:
    asked: list[int] = []
    performer = start(Calls(Retry("slow down", after=0.001), Retry("not yet"), Retry("not yet")))
    performer.backoff = noted(asked)
    performer.perform(committed(store, "hi"))

    eventually(lambda: logged(store) == [("performed", 4, {"id": "7"})])
    assert asked == [2, 3]


def test_every_try_has_the_same_key(store: SqliteStore, start: Start) -> None:
    calls = Calls(Retry("not yet"), Retry("not yet"))
    start(calls).perform(committed(store, "hi"))

    eventually(lambda: calls.bodies)
    assert calls.keys == ["/tests|1|demo.handle|0"] * 3


def test_an_effect_that_never_succeeds_is_given_up_with_the_reason(store: SqliteStore, start: Start) -> None:
    calls = Calls(*(Retry(f"no answer {n}") for n in range(100)))
    performer = start(calls)
    performer.perform(committed(store, "hi"))

    eventually(lambda: logged(store) == [("given up", ATTEMPTS, {"reason": f"no answer {ATTEMPTS - 1}"})])
    eventually(lambda: not performer.busy())
    assert len(calls.keys) == ATTEMPTS


def test_an_effect_that_cannot_succeed_is_given_up_at_once(store: SqliteStore, start: Start) -> None:
    start(Calls(Rejected("no such number"))).perform(committed(store, "hi"))

    eventually(lambda: logged(store) == [("given up", 1, {"reason": "no such number"})])


def test_an_effect_nobody_performs_is_given_up(store: SqliteStore, start: Start) -> None:
    performer = start(Calls())
    performer.effects = {}
    performer.perform(committed(store, "hi"))

    eventually(lambda: logged(store) == [("given up", 1, {"reason": "no effect 'call' is installed"})])


def test_a_bug_in_an_effect_is_logged_and_the_effect_tried_again(
    store: SqliteStore, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    start(Calls(LookupError("a bug"))).perform(committed(store, "hi"))

    eventually(lambda: logged(store) == [("performed", 2, {"id": "7"})])
    assert "LookupError: a bug" in caplog.text


def test_what_is_pending_is_performed_after_a_restart_in_its_order(store: SqliteStore, start: Start) -> None:
    before = start(Calls(Retry("closed", after=3600)))
    before.perform(committed(store, "first", "second", order="a"))
    eventually(lambda: [effect.attempts for effect in store.pending()] == [1, 0])
    before.stop(PATIENCE)

    calls = Calls()
    start(calls).resume()
    eventually(lambda: calls.bodies == ["first", "second"])
    eventually(lambda: [entry[:2] for entry in logged(store)] == [("performed", 1), ("performed", 2)])


def test_attempts_of_earlier_starts_count_towards_giving_up(store: SqliteStore, start: Start) -> None:
    (effect,) = committed(store, "hi")
    for _ in range(ATTEMPTS - 1):
        store.postponed(effect, "no answer", given_up=False)
    start(Calls(Retry("no answer"))).resume()

    eventually(lambda: logged(store) == [("given up", ATTEMPTS, {"reason": "no answer"})])


class Forgetful(SqliteStore):
    """A store whose disk is full when the first effects are to be marked."""

    failures = 3

    def performed(self, effect: PendingEffect, result: Mapping[str, Any]) -> None:
        if self.failures:
            self.failures -= 1
            raise StateUnavailable("the disk is full")
        super().performed(effect, result)


def test_what_was_performed_and_could_not_be_marked_is_only_marked_again(tmp_path: Path) -> None:
    store, calls = Forgetful(tmp_path / "forgetful.db"), Calls()
    performer = Performer(store)
    performer.pause = 0.001
    performer.effects = {"call": Effect("call", calls, "a test")}
    performer.perform(committed(store, "hi"))

    eventually(lambda: store.pending() == [])
    assert (calls.bodies, store.failures) == (["hi"], 0)
    performer.stop(PATIENCE)
    store.close()


def test_stopping_leaves_what_did_not_begin_to_the_next_start(store: SqliteStore, start: Start) -> None:
    begun, released = threading.Event(), threading.Event()

    def call(_: Mapping[str, Any], __: str) -> Mapping[str, Any]:
        begun.set()
        assert released.wait(PATIENCE)
        return {}

    performer = start(call)
    performer.perform(committed(store, "begun", "not begun", order="a"))
    begun.wait(PATIENCE)
    assert not performer.stop(0.01)
    released.set()

    eventually(lambda: [effect.request.arguments["body"] for effect in store.pending()] == ["not begun"])


@pytest.mark.parametrize("reason", [Overloaded("our own inbox is full"), NotAttempted("there is no connection")])
def test_an_effect_that_could_not_even_be_tried_is_never_given_up(
    reason: NotAttempted, store: SqliteStore, start: Start
) -> None:
    calls = Calls(*(reason for _ in range(2 * ATTEMPTS)))
    performer = start(calls)
    performer.perform(committed(store, "hi"))

    eventually(lambda: logged(store) == [("performed", 1, {"id": "7"})])
    assert len(calls.keys) == 2 * ATTEMPTS + 1
    eventually(lambda: performer.pending() == 0)


def test_effects_that_take_long_leave_half_of_the_threads_to_those_of_other_names(
    store: SqliteStore, start: Start
) -> None:
    released, begun = threading.Event(), threading.Semaphore(0)

    def slow(_arguments: Mapping[str, Any], _key: str) -> Mapping[str, Any]:
        begun.release()
        assert released.wait(PATIENCE)
        return {}

    performer, quick = start(slow), Calls()
    performer.effects = {**performer.effects, "other": Effect("other", quick, "a test")}
    performer.perform(committed(store, *range(4 * CONCURRENCY)))
    assert all(begun.acquire(timeout=PATIENCE) for _ in range(CONCURRENCY))
    work = Work(SOURCE, "2", "demo.handle")
    others = [EffectRequest("other", {"body": number}, "") for number in range(20)]
    performer.perform(store.commit(Commit(work, happened("2"), Outcome(), effects=others)).effects)

    eventually(lambda: sorted(quick.bodies) == [*range(20)])
    assert not begun.acquire(blocking=False)
    assert performer.pending() >= 4 * CONCURRENCY
    released.set()
    eventually(lambda: performer.pending() == 0)
