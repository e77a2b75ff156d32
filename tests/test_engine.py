"""Handlers are transactions: what that means for one event in one handler."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest

from botplatform import Context, Event, Rejected, Reply, Retry, cloudevents, slack
from botplatform.engine import CONFLICTS, Engine, Failed
from botplatform.errors import StateUnavailable
from botplatform.plugins import Plugins
from botplatform.store import Abandoned, Committed, Run, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import SOURCE, happened, match_of

NOW = 1_800_000_000.0
Handle = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", lambda: NOW, synchronous="OFF")
    yield store
    store.close()


@pytest.fixture
def engine(store: SqliteStore) -> Engine:
    return Engine(store, Plugins().sources, lambda: NOW)


def values(store: SqliteStore, plugin: str = "demo") -> dict[str, bytes | None]:
    return {key: value.json for key, value in store.scan(plugin, "")}


def replies(committed: Committed) -> tuple[Any, bool]:
    return committed.outcome.reply, committed.outcome.duplicate


def count(ctx: Context) -> str:
    ctx.state["count"] = ctx.state.get("count", 0) + 1
    return f"number {ctx.state['count']}"


def command(text: str = "attic") -> Event:
    """A slash command, for whose reply somebody waits."""
    data = {"command": "/temp", "text": text, "response_url": "https://hooks.slack.com/1"}
    return happened(type="com.slack.command", subject="/temp", data=data)


# Once.


def test_all_a_handler_asked_for_is_committed_with_its_reply(engine: Engine, store: SqliteStore) -> None:
    def handle(event: Event, ctx: Context) -> Reply:
        ctx.state["seen"] = event.data
        ctx.text("owner", "hi")
        return Reply("done", in_channel=True)

    committed = engine.run(happened(data=7), match_of(handle, uses=["text"]))

    assert committed.outcome.reply == {"text": "done", "in_channel": True}
    assert [effect.request.name for effect in committed.effects] == ["text"]
    assert values(store) == {"seen": b"7"}


def test_an_event_that_comes_again_is_answered_as_before_and_not_handled_again(
    engine: Engine, store: SqliteStore
) -> None:
    runs: list[int] = []

    def handle(ctx: Context) -> str:
        runs.append(1)
        return count(ctx)

    first = engine.run(happened(), match_of(handle))
    second = engine.run(happened(), match_of(handle))

    assert replies(first) == ({"text": "number 1"}, False)
    assert replies(second) == ({"text": "number 1"}, True)
    assert (len(runs), values(store)) == (1, {"count": b"1"})


def test_an_event_that_comes_again_brings_the_effects_that_are_still_pending(
    engine: Engine, store: SqliteStore
) -> None:
    match = match_of(lambda ctx: [ctx.text("owner", body) for body in "ab"] and None, uses=["text"])
    first, second = engine.run(happened(), match).effects
    store.performed(first, {})

    assert engine.run(happened(), match).effects == [second]


def test_an_equal_id_of_another_source_is_another_event(engine: Engine) -> None:
    engine.run(happened(), match_of(count))

    assert replies(engine.run(happened(source="/others"), match_of(count))) == ({"text": "number 2"}, False)


def test_each_handler_has_its_own_share_of_an_event(engine: Engine) -> None:
    engine.run(happened(), match_of(count))

    assert replies(engine.run(happened(), match_of(count, plugin="other"))) == ({"text": "number 1"}, False)


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (lambda event, ctx: f"{event.id} at {ctx.now:%H:%M}", "1 at 08:00"),
        (lambda event: event.id, "1"),
        (lambda ctx: f"{ctx.now:%H:%M}", "08:00"),
        (lambda: "nothing", "nothing"),
    ],
)
def test_a_handler_may_leave_out_either_argument(engine: Engine, handle: Handle, said: str) -> None:
    assert replies(engine.run(happened(), match_of(handle)))[0] == {"text": said}


def test_further_writes_are_part_of_the_same_commit(engine: Engine, store: SqliteStore) -> None:
    engine.run(happened(), match_of(count), also={StateKey("@host", "packet"): Write("put", b"7")})

    assert values(store, "@host") == {"packet": b"7"}


def test_a_handler_has_an_event_of_its_own(engine: Engine) -> None:
    event = happened(data={"list": []})
    engine.run(event, match_of(lambda event: event.data["list"].append(1)))

    assert event.data == {"list": []}


def test_a_source_that_is_exchanged_for_another_prepares_the_events_from_then_on(engine: Engine) -> None:
    def prepare(event: Event, _: object) -> Event:
        return event.replace(data="prepared")

    match = match_of(lambda event: event.data)
    before = engine.run(happened("1", data="as it came"), match)
    engine.sources = {name: source._replace(prepare=prepare) for name, source in engine.sources.items()}
    after = engine.run(happened("2", data="as it came"), match)

    assert [replies(before)[0], replies(after)[0]] == [{"text": "as it came"}, {"text": "prepared"}]


def test_the_outcome_says_which_attempt_it_was(engine: Engine) -> None:
    assert engine.run(happened(), match_of(count), Run(attempt=3)).outcome.attempts == 3


# Not at all.


def failing(error: BaseException) -> Handle:
    def handle(ctx: Context) -> None:
        ctx.state["half"] = 1
        ctx.text("owner", "half")
        raise error

    return handle


@pytest.mark.parametrize(
    ("error", "reason", "after", "final"),
    [
        (Rejected("no such room", "room"), "room: no such room", None, True),
        (Retry("not yet", after=7), "not yet", 7, False),
        (Retry(), "asked to be retried", None, False),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero", None, False),
        (SystemExit(3), "SystemExit: 3", None, False),
    ],
)
def test_a_handler_that_fails_leaves_nothing_behind(
    engine: Engine, store: SqliteStore, error: Exception, reason: str, after: float | None, final: bool
) -> None:
    match = match_of(failing(error), uses=["text"])

    with pytest.raises(Failed) as failed:
        engine.run(happened(), match, Run(answered=True))
    assert (failed.value.reason, failed.value.after, failed.value.final) == (reason, after, final)
    assert store.outcome(Work(SOURCE, "1", match.handler.name)) is None
    assert (values(store), store.pending()) == ({}, [])


def set_text(ctx: Context) -> None:
    ctx.state["count"] = "text"


MISTAKES: dict[str, Handle] = {
    "an answer of the wrong type": lambda: 7,
    "an effect it did not declare": lambda ctx: ctx.slack("C1", "hi"),
    "a reply that is no JSON": lambda: Reply(session={"what": object()}),
    "a number added to a text": lambda ctx: ctx.state.add("count"),
    "a text to nobody": lambda ctx: ctx.text(None, "hi"),
    "a follow-up that cannot be made": lambda: Reply("hi", blocks=5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("handle", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_a_handler_fails_it_and_shows_in_the_log(
    engine: Engine, store: SqliteStore, handle: Handle, caplog: pytest.LogCaptureFixture
) -> None:
    engine.run(happened("before"), match_of(set_text))

    with pytest.raises(Failed) as failed:
        engine.run(command(), match_of(handle, uses=["text"]))
    assert not failed.value.final
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert values(store) == {"count": b'"text"'}


def test_the_log_shows_nothing_of_the_events_data(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Failed):
        engine.run(happened(data={"password": "hunter2"}), match_of(lambda: 7))

    assert "hunter2" not in caplog.text


def test_a_handler_that_failed_may_succeed_the_next_time(engine: Engine) -> None:
    with pytest.raises(Failed):
        engine.run(happened(), match_of(failing(Retry("later")), uses=["text"]))

    assert replies(engine.run(happened(), match_of(count))) == ({"text": "number 1"}, False)


def test_an_unavailable_store_is_no_failure_of_the_handler(
    engine: Engine, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(ctx: Context) -> None:
        store.close()
        ctx.state["count"] = 1

    with pytest.raises(StateUnavailable):
        engine.run(happened(), match_of(handle))
    assert caplog.records == []


# Rejected, where somebody waits.


def refuse(ctx: Context) -> None:
    ctx.state["half"] = 1
    raise Rejected("there is no room of that name")


def test_what_somebody_got_wrong_is_their_answer_and_nothing_else_happens(engine: Engine, store: SqliteStore) -> None:
    committed = engine.run(command(), match_of(refuse), Run(answered=False))

    assert replies(committed) == ({"text": "There is no room of that name"}, False)
    assert values(store) == {}


def test_the_source_of_an_event_is_one_of_those_that_are_known_now(engine: Engine) -> None:
    slack_source, rest = engine.sources["slack"], engine.sources["cloudevents"]
    events = command(), command(), happened(), happened(source="urn:aws:cloudtrail:1"), happened(), command()
    names = [engine.source_of(event).name for event in events]
    assert names == ["slack", "slack", "cloudevents", "cloudtrail", "cloudevents", "slack"]

    engine.sources = {"cloudevents": rest, "other": slack_source._replace(name="other")}
    assert engine.source_of(command()).name == "other"
    assert engine.source_of(command().replace(type=happened().type)).name == "cloudevents"


def test_an_event_its_subscription_cannot_take_is_rejected_before_the_handler_runs(engine: Engine) -> None:
    def unbound(event: Event) -> NoReturn:
        raise Rejected(f"say which room {event.subject} is about")

    match = match_of(count)
    refused = match._replace(subscription=match.subscription._replace(bind=unbound))

    assert replies(engine.run(command(), refused))[0] == {"text": "Say which room /temp is about"}


# Conflicts.


def test_a_handler_that_lost_its_commit_runs_again_on_what_is_there_now(engine: Engine) -> None:
    other = match_of(count, plugin="demo")
    runs: list[Any] = []

    def contended(ctx: Context) -> str:
        runs.append(ctx.state.get("count"))
        if len(runs) == 1:
            engine.run(happened("meanwhile"), other)
        return count(ctx)

    assert replies(engine.run(happened(), match_of(contended))) == ({"text": "number 2"}, False)
    assert runs == [None, 1]


def test_a_handler_that_always_loses_fails_in_the_end(engine: Engine) -> None:
    numbers = iter(range(1000))

    def unlucky(ctx: Context) -> None:
        ctx.state.get("count")
        engine.run(happened(f"meanwhile {next(numbers)}"), match_of(count))

    with pytest.raises(Failed, match=f"lost its commit to others {CONFLICTS} times"):
        engine.run(happened(), match_of(unlucky))


def test_adding_never_conflicts(engine: Engine, store: SqliteStore) -> None:
    runs: list[int] = []

    def add(ctx: Context) -> None:
        runs.append(1)
        ctx.state.add("count")
        if len(runs) == 1:
            engine.run(happened("meanwhile"), match_of(count))

    engine.run(happened(), match_of(add))
    assert (len(runs), values(store)) == (1, {"count": b"2"})


def test_eight_threads_with_the_same_event_handle_it_once(engine: Engine, store: SqliteStore) -> None:
    barrier = threading.Barrier(8)

    def deliver(_: int) -> list[tuple[Any, bool]]:
        barrier.wait()
        return [replies(engine.run(happened(str(n)), match_of(count))) for n in range(25)]

    with ThreadPoolExecutor(8) as threads:
        delivered = list(threads.map(deliver, range(8)))

    for answers in zip(*delivered, strict=True):
        assert len({answer["text"] for answer, _ in answers}) == 1
        assert [duplicate for _, duplicate in answers].count(False) == 1
    assert values(store) == {"count": b"25"}


@pytest.mark.parametrize("add", [lambda ctx: ctx.state.add("count"), count], ids=["adding", "reading and writing"])
def test_eight_threads_with_200_events_each_count_them_all(
    engine: Engine, store: SqliteStore, add: Handle, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    def deliver(thread: int) -> None:
        for n in range(200):
            while True:
                try:
                    engine.run(happened(f"{thread}.{n}"), match_of(add))
                    break
                except Failed:  # contended: its host would try it again
                    continue

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(deliver, range(8)))

    assert values(store) == {"count": b"1600"}


# Who waits.


@slack.command("/temp {room}")
def answer() -> str:
    return "31 °C"


def test_a_reply_follows_as_an_effect_only_where_the_sender_was_answered_already(engine: Engine) -> None:
    waits = engine.run(command(), match_of(answer), Run(answered=False))
    left = engine.run(command().replace(id="2"), match_of(answer), Run(answered=True))

    assert waits.effects == []
    assert [effect.request.arguments["response_url"] for effect in left.effects] == ["https://hooks.slack.com/1"]


def test_a_sender_that_gives_up_while_the_handler_runs_gets_the_reply_as_an_effect(engine: Engine) -> None:
    run = Run()

    @slack.command("/temp {room}")
    def slow() -> str:
        run.answered = True
        return "31 °C"

    assert len(engine.run(command(), match_of(slow), run).effects) == 1


def test_a_run_that_was_given_up_while_it_ran_commits_nothing(engine: Engine, store: SqliteStore) -> None:
    run = Run()

    def hung(ctx: Context) -> None:
        ctx.state["count"] = 1
        run.abandoned = True

    with pytest.raises(Abandoned):
        engine.run(happened(), match_of(hung), run)
    assert values(store) == {}


@cloudevents.event("com.example.happened")
def heard() -> str:
    return "nobody hears it"


def test_a_reply_for_which_there_is_no_way_is_only_kept(engine: Engine) -> None:
    committed = engine.run(happened(), match_of(heard), Run(answered=True))

    assert committed.outcome.reply == {"text": "nobody hears it"}
    assert committed.effects == []


# Replays.


def test_a_replay_without_effects_changes_the_state_and_names_what_was_withheld(
    engine: Engine, store: SqliteStore
) -> None:
    def handle(ctx: Context) -> str:
        ctx.text("owner", "hi")
        ctx.emit(Event(type="com.example.followed"))
        return count(ctx)

    replay = happened("2", extensions={"replayof": "1", "withholdeffects": True})
    committed = engine.run(replay, match_of(handle, uses=["text", "emit"]))

    assert (committed.outcome.reply, committed.effects, values(store)) == ({"text": "number 1"}, [], {"count": b"1"})
    assert committed.outcome.suppressed == ("text to owner: withheld from a replay", "emit: withheld from a replay")


def test_a_text_that_was_withheld_holds_up_no_other_one(engine: Engine) -> None:
    def warn(ctx: Context) -> None:
        ctx.text("owner", "hot", once_per="1h")

    replay = happened("2", extensions={"replayof": "1", "withholdeffects": True})
    runs = [engine.run(event, match_of(warn, uses=["text"])) for event in (replay, happened("3"), happened("4"))]

    assert [len(committed.effects) for committed in runs] == [0, 1, 0]


@pytest.mark.parametrize("answered", [True, False])
def test_the_reply_of_a_replay_follows_nobody(engine: Engine, answered: bool) -> None:
    replay = command().replace(extensions={"replayof": "1"})

    for _ in range(2):
        committed = engine.run(replay, match_of(count), Run(answered=answered))
        assert (committed.outcome.reply, committed.effects) == ({"text": "number 1"}, [])


@pytest.mark.parametrize("said", ["true", False, 1])
def test_effects_are_withheld_only_where_it_says_so(engine: Engine, said: str | bool | int) -> None:
    def warn(ctx: Context) -> None:
        ctx.text("owner", "hot")

    event = happened(extensions={"withholdeffects": said})
    assert len(engine.run(event, match_of(warn, uses=["text"])).effects) == 1
