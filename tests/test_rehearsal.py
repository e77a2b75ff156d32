"""A rehearsal shows what handlers would make of an event, and leaves everything as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from botplatform import Context, Event, Rejected, Reply, Retry, codec, slack
from botplatform.plugins import Plugins
from botplatform.rehearsal import Rehearsal
from botplatform.router import Match, Router
from botplatform.source import EffectRequest
from botplatform.store import Change, Commit, Outcome, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import SOURCE, handler_of, happened

NOW = 1_800_000_000.0
COUNT = StateKey("demo", "count")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """The state as it is: one was counted."""
    store = SqliteStore(tmp_path / "state.db", lambda: NOW, synchronous="OFF")
    store.commit(Commit(Work(SOURCE, "before", "demo.count"), happened("before"), Outcome(), writes={COUNT: put(1)}))
    yield store
    store.close()


def put(value: Any) -> Write:
    return Write("put", codec.encode(value))


def count(ctx: Context) -> str:
    ctx.state["count"] = ctx.state.get("count", 0) + 1
    ctx.text("owner", f"number {ctx.state['count']}")
    return "counted"


def rehearsal(store: SqliteStore, *functions: Callable[..., Any]) -> Rehearsal:
    handlers = [handler_of(function, ["text"]) for function in functions]
    return Rehearsal(Router(handlers), Plugins().sources, store, NOW)


def test_it_tells_the_reply_the_changes_and_the_effects_there_would_be(store: SqliteStore) -> None:
    (rehearsed,) = rehearsal(store, count).run(happened())

    assert (rehearsed.handler, rehearsed.status, rehearsed.reply) == ("demo.count", "done", {"text": "counted"})
    assert rehearsed.changes == [Change(COUNT, b"1", b"2")]
    assert rehearsed.effects == [EffectRequest("text", {"to": "owner", "body": "number 2"}, "owner")]


def test_nothing_is_kept_and_nothing_is_to_be_performed(store: SqliteStore) -> None:
    rehearsal(store, count).run(happened())

    assert (store.read(COUNT).json, store.pending()) == (b"1", [])
    assert store.outcome(Work(SOURCE, "1", "demo.count")) is None
    assert [entry["id"] for entry in store.log.events()] == ["before"]


def test_what_is_done_is_handled_all_the_same(store: SqliteStore) -> None:
    (rehearsed,) = rehearsal(store, count).run(happened("before"))

    assert rehearsed.changes == [Change(COUNT, b"1", b"2")]


def test_each_event_sees_what_those_before_it_changed(store: SqliteStore) -> None:
    over = rehearsal(store, count)
    changes = [over.run(happened(id_))[0].changes for id_ in ("1", "2")]

    assert changes == [[Change(COUNT, b"1", b"2")], [Change(COUNT, b"2", b"3")]]


def test_each_handler_runs_or_only_the_one_named(store: SqliteStore) -> None:
    def other() -> None:
        pass

    over = rehearsal(store, count, other)
    assert [rehearsed.handler for rehearsed in over.run(happened("1"))] == ["demo.count", "demo.other"]
    assert [rehearsed.handler for rehearsed in over.run(happened("2"), "demo.other")] == ["demo.other"]
    assert over.run(happened("3", type="com.example.other")) == []


@pytest.mark.parametrize(
    ("raised", "reason"),
    [(KeyError("x"), "KeyError: 'x'"), (Retry("not yet"), "not yet"), (Rejected("no such room"), "no such room")],
)
def test_a_handler_that_fails_is_told_with_its_reason_and_in_no_log(
    store: SqliteStore, raised: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(ctx: Context) -> None:
        count(ctx)
        raise raised

    (rehearsed,) = rehearsal(store, fail).run(happened())
    assert (rehearsed.status, rehearsed.reason, rehearsed.changes) == ("failed", reason, ())
    assert not caplog.records


def test_what_somebody_got_wrong_who_waits_is_the_reply(store: SqliteStore) -> None:
    @slack.command("/temp {room}")
    def answer() -> None:
        raise Rejected("no such room")

    asked = happened(type="com.slack.command", subject="/temp", data={"command": "/temp", "text": "x"})
    (rehearsed,) = rehearsal(store, answer).run(asked)
    assert rehearsed.reply == Reply("No such room").to_dict()


def test_a_replay_that_was_for_one_handler_without_effects_is_rehearsed_as_any_event(store: SqliteStore) -> None:
    def other() -> None:
        pass

    replay = happened(extensions={"replayof": "before", "replayto": "demo.other", "withholdeffects": True})
    assert [len(rehearsed.effects) for rehearsed in rehearsal(store, count, other).run(replay)] == [1, 0]


def test_handlers_are_told_the_time_that_is_set(store: SqliteStore) -> None:
    def note(ctx: Context) -> str:
        return ctx.now.isoformat()

    over = rehearsal(store, note)
    over.now = 0.0
    assert over.run(happened())[0].reply == {"text": "1970-01-01T00:00:00+00:00"}


def test_something_can_be_put_around_the_handlers(store: SqliteStore) -> None:
    def shout(match: Match) -> Match:
        function = match.handler.function
        return match._replace(handler=match.handler._replace(function=lambda **given: function(**given).upper()))

    assert rehearsal(store, count).run(happened(), wrap=shout)[0].reply == {"text": "COUNTED"}


def test_as_json_it_is_what_a_log_entry_has_of_a_handler(store: SqliteStore) -> None:
    def change(event: Event, ctx: Context) -> None:
        ctx.state.add("count")
        ctx.state["large"] = "x" * 20_000
        ctx.effect("text", {"response_url": event.id})

    (rehearsed,) = rehearsal(store, change).run(happened())
    assert {**rehearsed.to_dict(), "took": 0} == {
        "handler": "demo.change",
        "status": "done",
        "took": 0,
        "reply": None,
        "reason": "",
        "suppressed": [],
        "effects": [{"name": "text", "arguments": {"response_url": "***"}, "status": "not performed"}],
        "changes": [
            {"plugin": "demo", "key": "count", "before": 1, "after": 2},
            {"plugin": "demo", "key": "large", "size": 20_002},
        ],
    }
