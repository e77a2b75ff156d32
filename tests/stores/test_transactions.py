"""Handlers are transactions on each store: what the engine makes of conflicts, races and repetitions there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count as numbers
from typing import Any

import pytest

from botplatform import Context, Event, Retry, slack
from botplatform.engine import Engine, Failed
from botplatform.plugins import Plugins
from botplatform.store import Run, Store
from tests.handlers import happened, match_of
from tests.stores.conftest import Clock


@pytest.fixture
def engine(store: Store, clock: Clock) -> Engine:
    return Engine(store, Plugins().sources, clock)


def values(store: Store) -> dict[str, bytes | None]:
    return {key: value.json for key, value in store.scan("demo", "")}


def count(ctx: Context) -> str:
    ctx.state["count"] = ctx.state.get("count", 0) + 1
    return f"number {ctx.state['count']}"


def command(id: str = "1") -> Event:
    data = {"command": "/temp", "text": "attic", "response_url": "https://hooks.slack.com/1"}
    return happened(id, type="com.slack.command", subject="/temp", data=data)


def test_an_event_that_comes_again_is_answered_as_before_and_not_handled_again(engine: Engine, store: Store) -> None:
    first = engine.run(happened(), match_of(count)).outcome
    again = engine.run(happened(), match_of(count)).outcome

    assert (first.reply, first.duplicate) == ({"text": "number 1"}, False)
    assert (again.reply, again.duplicate) == ({"text": "number 1"}, True)
    assert values(store) == {"count": b"1"}


def test_a_handler_that_fails_leaves_nothing_behind_and_may_succeed_later(engine: Engine, store: Store) -> None:
    def fail(ctx: Context) -> None:
        count(ctx)
        ctx.text("owner", "half")
        raise Retry("not yet")

    match = match_of(fail, uses=["text"])
    with pytest.raises(Failed, match="not yet"):
        engine.run(happened(), match)
    assert (values(store), store.pending()) == ({}, [])
    assert engine.run(happened(), match_of(count)).outcome.reply == {"text": "number 1"}


def test_a_handler_that_lost_its_commit_runs_again_on_what_is_there_now(engine: Engine) -> None:
    seen: list[Any] = []

    def contended(ctx: Context) -> str:
        seen.append(ctx.state.get("count"))
        if len(seen) == 1:
            engine.run(happened("meanwhile"), match_of(count))
        return count(ctx)

    assert engine.run(happened(), match_of(contended)).outcome.reply == {"text": "number 2"}
    assert seen == [None, 1]


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (lambda state: state.add("k"), b"2"),
        (lambda state: state.append("k", 1), b"[1,1]"),
        (lambda state: state.create("k", 1), b"1"),
    ],
    ids=["add", "append", "create"],
)
def test_what_reads_nothing_never_conflicts(
    engine: Engine, store: Store, change: Callable[[Any], None], after: bytes
) -> None:
    runs: list[int] = []

    def handle(ctx: Context) -> None:
        runs.append(1)
        change(ctx.state)
        if len(runs) == 1:
            engine.run(happened("meanwhile"), match_of(lambda ctx: change(ctx.state)))

    engine.run(happened(), match_of(handle))
    assert (len(runs), values(store)) == (1, {"k": after})


def test_threads_with_the_same_events_handle_each_once(engine: Engine, store: Store) -> None:
    barrier = threading.Barrier(4)

    def deliver(_: int) -> list[tuple[Any, bool]]:
        barrier.wait()
        outcomes = [engine.run(happened(str(n)), match_of(count)).outcome for n in range(8)]
        return [(outcome.reply, outcome.duplicate) for outcome in outcomes]

    with ThreadPoolExecutor(4) as threads:
        delivered = list(threads.map(deliver, range(4)))

    for answers in zip(*delivered, strict=True):
        assert len({str(reply) for reply, _ in answers}) == 1
        assert [duplicate for _, duplicate in answers].count(False) == 1
    assert values(store) == {"count": b"8"}


@pytest.mark.parametrize("answered", [True, False], ids=["follows already", "nobody got"])
def test_a_sender_that_was_answered_without_the_reply_gets_the_one_that_holds_once(
    engine: Engine, store: Store, answered: bool
) -> None:
    said = map("draw {}".format, numbers())

    @slack.command("/temp {room}")
    def draw() -> str:
        mine = next(said)
        if mine == "draw 0":
            engine.run(command(), match_of(draw), Run(answered=answered))
        return mine

    effects = engine.run(command(), match_of(draw), Run(answered=True)).effects
    assert [effect.request.arguments["text"] for effect in effects] == ["draw 1"]
    assert list(effects) == store.pending()


def test_a_reply_nobody_got_follows_when_another_run_finds_the_work_done(engine: Engine) -> None:
    @slack.command("/temp {room}")
    def answer() -> str:
        return "31 °C"

    assert engine.run(command(), match_of(answer), Run(answered=False)).effects == []
    later = [engine.run(command(), match_of(answer), Run(answered=True)).effects for _ in range(2)]
    assert [[effect.request.arguments["text"] for effect in effects] for effects in later] == [["31 °C"], ["31 °C"]]
