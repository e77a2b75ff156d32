"""Replies that go out before the disk has them, and those that must not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from botplatform import Context, Event, Reply, codec, slack
from botplatform.errors import StateUnavailable
from botplatform.hosts.local.delivery import holds_anyway
from botplatform.source import EffectRequest
from botplatform.store import Commit, Committed, Outcome, StateKey, Work, Write
from tests.handlers import SOURCE, handler_of, happened
from tests.hosts.local.machine import PATIENCE, Machine
from tests.mosquitto import eventually

Start = Callable[..., Machine]
Told = Callable[[Sequence[Committed | Exception]], None]
ATTIC = StateKey("demo", "attic")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    machines: list[Machine] = []

    def start(handler: Callable[..., Any], **options: Any) -> Machine:
        machines.append(Machine(tmp_path, handler_of(slack.command("/temp {room}")(handler), **options)))
        machines[-1].store.write({ATTIC: Write("put", b"21")})
        return machines[-1]

    yield start
    for machine in machines:
        machine.stop(0.1)


@contextmanager
def disk_held(machine: Machine) -> Iterator[None]:
    """Nothing is committed in here."""
    with closing(sqlite3.connect(machine.store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def asked(id: str = "1") -> Event:
    data = {"command": "/temp", "text": "attic", "response_url": "https://hooks.slack.com/1"}
    return happened(id, type="com.slack.command", subject="/temp", data=data)


def marker(machine: Machine, id: str = "1", handler: str = "demo.look") -> Outcome | None:
    return machine.store.outcome(Work(SOURCE, id, handler))


def look(ctx: Context) -> str:
    return f"{ctx.state['attic']} °C"


def ask_two(ctx: Context) -> str:
    return f"{ctx.state['attic']} and {ctx.state.get('cellar')} °C"


def change(ctx: Context) -> str:
    ctx.state["asked"] = True
    return "noted"


def add(ctx: Context) -> str:
    ctx.state.add("asked")
    return "noted"


def send(ctx: Context) -> str:
    ctx.text("owner", "somebody asks")
    return "sent"


def told_once(ctx: Context) -> str:
    ctx.state.create("attic", 0)
    return "there is one"


def test_what_a_command_only_looked_up_is_answered_before_the_disk_has_it(start: Start) -> None:
    machine = start(look)
    with disk_held(machine):
        delivery = machine.dispatcher.submit(asked())
        assert delivery.settled.wait(PATIENCE)
        assert delivery.reply == "21 °C"
        assert marker(machine) is None

    eventually(lambda: marker(machine) is not None)
    eventually(lambda: not machine.dispatcher.busy())
    assert [entry["id"] for entry in machine.store.log.events()] == ["1"]


def test_its_next_one_is_answered_before_the_disk_has_the_first(start: Start) -> None:
    machine = start(look)
    with disk_held(machine):
        for id in "123":
            assert machine.dispatcher.submit(asked(id)).settled.wait(PATIENCE)

    eventually(lambda: [marker(machine, id) is not None for id in "123"] == [True] * 3)


def test_one_that_comes_again_before_the_disk_has_it_is_answered_the_same_and_counted(start: Start) -> None:
    machine = start(look)
    with disk_held(machine):
        assert machine.dispatcher.submit(asked()).settled.wait(PATIENCE)
        again = machine.dispatcher.submit(asked())

    assert again.settled.wait(PATIENCE)
    eventually(lambda: not machine.dispatcher.busy())
    assert (again.reply, machine.dispatcher.counts["delivered again"]) == (Reply("21 °C"), 1)
    eventually(lambda: [entry["deliveries"] for entry in machine.store.log.events()] == [2])


@pytest.mark.parametrize("handler", [change, add, send, told_once, ask_two], ids=lambda handler: str(handler.__name__))
def test_what_a_command_changed_or_could_have_seen_half_changed_is_answered_after_the_disk_has_it(
    start: Start, handler: Callable[..., Any]
) -> None:
    machine = start(handler, uses=["text"])
    durable: list[bool] = []
    with disk_held(machine):
        delivery = machine.dispatcher.submit(
            asked(), lambda: durable.append(marker(machine, handler=f"demo.{handler.__name__}") is not None)
        )
        assert not delivery.settled.wait(0.3)

    assert delivery.settled.wait(PATIENCE)
    eventually(lambda: durable == [True])


def test_what_nobody_waits_for_is_settled_after_the_disk_has_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, handler_of(lambda: None))
    with disk_held(machine):
        delivery = machine.dispatcher.submit(happened())
        assert not delivery.settled.wait(0.3)
    assert delivery.settled.wait(PATIENCE)
    machine.stop()


@pytest.fixture
def runs() -> list[str]:
    return []


@pytest.fixture
def counted(start: Start, runs: list[str]) -> Machine:
    """A machine whose handler only looks, with a word on each of its `runs`."""

    def look(ctx: Context) -> str:
        runs.append("ran")
        return f"{ctx.state['attic']} °C"

    return start(look)


def test_what_changed_after_the_answer_makes_nobody_run_again(counted: Machine, runs: list[str]) -> None:
    submit = counted.store.submit

    def change_first(commits: Sequence[Commit], told: Told) -> None:
        counted.store.write({ATTIC: Write("put", b"22")})
        submit(commits, told)

    counted.store.submit = change_first  # type: ignore[method-assign]
    assert counted.dispatcher.submit(asked()).settled.wait(PATIENCE)

    eventually(lambda: marker(counted))
    known = marker(counted)
    assert (runs, known and known.reply) == (["ran"], {"text": "21 °C"})


def test_what_was_answered_and_could_not_be_stored_is_stored_later_and_does_not_run_again(
    counted: Machine, runs: list[str]
) -> None:
    submit, refused = counted.store.submit, list[list[str]]()

    def refuse(commits: Sequence[Commit], told: Told) -> None:
        if len(refused) == 3:
            submit(commits, told)
        else:
            refused.append([commit.work.id for commit in commits])
            told([StateUnavailable("the disk is full")] * len(commits))

    counted.store.submit = refuse  # type: ignore[method-assign]
    delivery = counted.dispatcher.submit(asked())
    assert delivery.settled.wait(PATIENCE)
    counted.store.write({ATTIC: Write("put", b"22")})

    eventually(lambda: marker(counted))
    known = marker(counted)
    assert (delivery.reply, known and known.reply, runs) == (Reply("21 °C"), {"text": "21 °C"}, ["ran"])
    assert refused == [["1"]] * 3
    eventually(lambda: not counted.dispatcher.busy())


def test_what_was_answered_when_the_process_died_is_answered_once_more_and_nothing_happens_twice(start: Start) -> None:
    first = start(look)
    first.store.submit = lambda *_: None  # type: ignore[method-assign]
    assert first.dispatcher.submit(asked()).settled.wait(PATIENCE)
    first.stop(0.1)

    second = start(look)
    (again,) = second.handle(asked())
    eventually(lambda: not second.dispatcher.busy())
    assert (again.reply, [entry["deliveries"] for entry in second.store.log.events()]) == (Reply("21 °C"), [1])
    assert [key for key, _ in second.store.scan("demo", "")] == ["attic"]


def test_stopping_stores_what_was_answered(start: Start) -> None:
    machine = start(look)
    for id in "123":
        machine.handle(asked(id))
    machine.stop()

    assert [entry["id"] for entry in start(look).store.log.events()] == ["1", "2", "3"]


def test_a_reply_that_was_left_to_its_commit_is_not_given_ahead_of_it(start: Start) -> None:
    machine = start(look)
    underway = machine.dispatcher.underway
    tell_ahead, answers = underway.tell_ahead, list[bool]()

    def late(*told: Any) -> bool:
        machine.dispatcher.answer_now(delivery)  # at this very moment the sender stops waiting
        answers.append(tell_ahead(*told))
        return answers[-1]

    underway.tell_ahead = late  # type: ignore[assignment, method-assign]
    with disk_held(machine):
        delivery = machine.dispatcher.submit(asked("0"))
    eventually(lambda: [name for name, _ in machine.outside] == ["slack"])
    assert (answers, delivery.reply) == ([False], None)


def commit(outcome: Outcome = Outcome({"text": "21 °C"}), **asked: Any) -> Commit:  # noqa: B008 - a frozen value
    """What a run that answers wants to happen."""
    return Commit(Work(SOURCE, "1", "demo.look"), happened(), outcome, **asked)


@pytest.mark.parametrize(
    ("commit", "holds"),
    [
        (commit(), True),
        (commit(reads={ATTIC: 1}), True),
        (commit(reads={ATTIC: 1, StateKey("demo", "cellar"): 1}), False),
        (commit(writes={ATTIC: Write("delete")}), False),
        (commit(effects=[EffectRequest("text", {})]), False),
        (commit(chained=True), False),
        (commit(Outcome(suppressed=("text to owner",))), False),
        (commit(Outcome(duplicate=True)), False),
        (commit(Outcome({"session": {"seen": object()}})), False),
    ],
)
def test_an_answer_holds_anyway_where_nothing_changed_and_one_value_was_seen_at_most(
    commit: Commit, holds: bool
) -> None:
    assert holds_anyway(commit) is holds


def test_an_answer_that_is_no_json_is_an_apology(start: Start) -> None:
    machine = start(lambda: Reply("21 °C", session={"seen": object()}))
    (delivery,) = machine.handle(asked())
    assert (delivery.results[0].status, codec.encode(delivery.reply and delivery.reply.text)[:6]) == ("dead", b'"Sorry')
