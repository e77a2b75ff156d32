"""The store that keeps nothing: handlers run each time, and what they ask for is performed at once."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform import Context, slack
from botplatform.engine import Engine, Failed
from botplatform.plugins import Plugins
from botplatform.store import Abandoned, Commit, Committed, Run, StateKey
from botplatform.stores.forgetful import Forgetful
from tests.handlers import happened, match_of

NOW = 1_800_000_000.0
COMMAND = happened(type="com.slack.command", subject="/help", data={"command": "/help", "text": ""})


@pytest.fixture
def engine() -> Engine:
    return Engine(Forgetful(), Plugins().sources, lambda: NOW)


@slack.command("/help")
def explain() -> str:
    return "ask me something"


def test_a_handler_answers_each_time_it_is_asked(engine: Engine) -> None:
    outcomes = [engine.run(COMMAND, match_of(explain)).outcome for _ in range(2)]

    assert [(outcome.reply, outcome.duplicate) for outcome in outcomes] == [({"text": "ask me something"}, False)] * 2


@pytest.mark.parametrize(("answered", "followed"), [(True, ["ask me something"]), (False, [])])
def test_the_reply_follows_where_the_sender_was_answered_already(
    engine: Engine, answered: bool, followed: list[str]
) -> None:
    data = {"command": "/help", "text": "", "response_url": "https://hooks.slack.com/1"}
    event = happened(type="com.slack.command", subject="/help", data=data)

    effects = engine.run(event, match_of(explain), Run(answered=answered)).effects
    assert [effect.request.arguments["text"] for effect in effects] == followed
    for effect in effects:
        engine.store.performed(effect, {})
        engine.store.postponed(effect, "no answer", given_up=False)
    assert engine.store.pending() == []
    engine.store.close()


def test_a_run_that_was_given_up_says_nothing(engine: Engine) -> None:
    with pytest.raises(Abandoned):
        engine.run(COMMAND, match_of(explain), Run(abandoned=True))


def look(ctx: Context) -> Any:
    return ctx.state.get("count")


def look_at_all(ctx: Context) -> None:
    list(ctx.state.items())


def change(ctx: Context) -> None:
    ctx.state["count"] = 1


@pytest.mark.parametrize("handle", [look, look_at_all, change])
def test_state_is_refused_rather_than_forgotten(engine: Engine, handle: Any) -> None:
    with pytest.raises(Failed, match="plugin demo runs where no state is kept"):
        engine.run(happened(), match_of(handle))


def test_nothing_is_there_to_be_read() -> None:
    with pytest.raises(RuntimeError, match="no state is kept"):
        Forgetful().read(StateKey("demo", "count"))


class Counting(Forgetful):
    """Counts what is committed."""

    def __init__(self) -> None:
        self.commits: list[Commit] = []

    def commit(self, commit: Commit) -> Committed:
        self.commits.append(commit)
        return super().commit(commit)


def text_somebody(ctx: Context) -> None:
    ctx.text("owner", "hello")


@pytest.mark.parametrize(
    ("handle", "run", "commits"),
    [(explain, Run(), 0), (explain, Run(answered=True), 1), (text_somebody, Run(), 1)],
    ids=["an answer", "an answer that has to follow", "an effect"],
)
def test_only_what_asks_for_something_is_committed(handle: Any, run: Run, commits: int) -> None:
    store = Counting()
    event = COMMAND.replace(data={**COMMAND.data, "response_url": "https://hooks.slack.com/1"})
    committed = Engine(store, Plugins().sources, lambda: NOW).run(event, match_of(handle, uses={"text"}), run)

    assert len(store.commits) == commits
    assert len(committed.effects) == commits


def test_a_run_that_has_answered_cannot_be_given_up_any_more(engine: Engine) -> None:
    run = Run()
    engine.run(COMMAND, match_of(explain), run)

    assert not run.abandon()
