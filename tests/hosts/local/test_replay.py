"""A replay handles a past event again on purpose: a copy, which says what it repeats, and is handled like any event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from botplatform import Event, Retry
from botplatform.hosts.local.platform import Platform
from botplatform.hosts.local.replay import into_inbox, replay, replayed
from botplatform.router import Router
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import handler_of, happened
from tests.hosts.local.running import log, running, state
from tests.mosquitto import eventually

COUNTER = '''"""Counts, and tells."""

from botplatform import Context, cloudevents

USES = ["text", "emit"]


@cloudevents.event("com.example.happened")
def count(ctx: Context) -> str:
    ctx.state.add("count")
    ctx.text("+15550100", "it happened", once_per="1h")
    return "counted"


@cloudevents.event("com.example.happened")
def other(ctx: Context) -> None:
    ctx.state.add("other")
'''


def test_a_copy_says_what_it_repeats_and_is_the_same_but_for_its_id() -> None:
    event = happened(data={"room": "attic"}, extensions={"partitionkey": "attic"})
    copy = replayed(event)

    assert copy.id not in ("", event.id)
    assert copy.extensions == {"partitionkey": "attic", "replayof": event.id}
    assert copy.replace(id=event.id, extensions=event.extensions) == event
    assert Event.from_json(copy.to_json()) == copy


def test_a_copy_says_whom_it_is_for_and_that_it_has_no_effects() -> None:
    copy = replayed(happened(), "demo.handle", effects=False)

    assert copy.extensions == {"replayof": "1", "replayto": "demo.handle", "withholdeffects": True}


def test_a_copy_of_a_copy_is_not_bound_by_what_that_was() -> None:
    again = replayed(replayed(happened(), "demo.handle", effects=False))

    assert "replayto" not in again.extensions
    assert "withholdeffects" not in again.extensions


def test_copies_go_in_the_order_of_the_events() -> None:
    taken: list[Event] = []
    ids = replay(taken.append, [happened("1"), happened("2"), happened("3")])

    assert [event.extensions["replayof"] for event in taken] == ["1", "2", "3"]
    assert [event.id for event in taken] == ids


class Full:
    """Has room for some events, and for one more after each so many refusals."""

    def __init__(self, room: int, refusals: int) -> None:
        self.taken: list[Event] = []
        self._room = room
        self._refusals = refusals
        self._refused = 0

    def submit(self, event: Event) -> None:
        if len(self.taken) >= self._room and self._refused < self._refusals:
            self._refused += 1
            raise Retry("full")
        self._refused = 0
        self.taken.append(event)


def test_a_replay_waits_until_there_is_room_again() -> None:
    full, waited = Full(1, refusals=3), list[float]()
    ids = replay(full.submit, [happened("1"), happened("2")], pause=waited.append)

    assert [event.id for event in full.taken] == ids
    assert len(waited) == 3


def test_a_replay_that_waited_long_enough_tells_how_far_it_came() -> None:
    full = Full(1, refusals=1_000_000)

    assert len(replay(full.submit, [happened("1"), happened("2")], pause=lambda _: None)) == 1
    with pytest.raises(Retry, match="full"):
        replay(full.submit, [happened("3")], pause=lambda _: None)


def logged(platform: Platform, id_: str) -> Any:
    return next((entry for entry in log(platform) if entry["id"] == id_), None)


def handled(platform: Platform, id_: str) -> dict[str, Any]:
    """What came of an event, by the handler."""
    eventually(lambda: logged(platform, id_) and not platform.busy())
    return {handler["handler"]: handler for handler in logged(platform, id_)["handlers"]}


def test_a_running_platform_handles_a_replay_like_any_event_and_the_log_says_what_it_is(tmp_path: Path) -> None:
    with running(tmp_path, {"counter": COUNTER}) as platform:
        platform.dispatcher.submit(happened("1"))
        handled(platform, "1")
        number = logged(platform, "1")["number"]
        (id_,) = platform.operations.replay([number])

        assert handled(platform, id_).keys() == {"counter.count", "counter.other"}
        assert logged(platform, id_)["replay_of"] == "1"
        assert state(platform, "counter") == {"count": 2, "other": 2}


def test_a_replay_for_one_handler_without_effects_changes_its_state_and_nothing_else(tmp_path: Path) -> None:
    with running(tmp_path, {"counter": COUNTER}) as platform:
        (id_,) = replay(platform.dispatcher.submit, [happened("1")], "counter.count", effects=False)
        (done,) = handled(platform, id_).values()

        assert (done["handler"], done["reply"], done["effects"]) == ("counter.count", {"text": "counted"}, [])
        assert done["suppressed"] == ["text to +15550100: withheld from a replay"]
        assert state(platform, "counter") == {"count": 1}


def test_where_no_platform_runs_the_next_one_to_start_handles_it_once(tmp_path: Path) -> None:
    with running(tmp_path, {"counter": COUNTER}) as platform:
        handlers = platform.plugins.handlers
    store = SqliteStore(tmp_path / "state" / "state.db")
    (id_,) = replay(into_inbox(store, Router(handlers), 0.0), [happened("1")])
    store.close()

    with running(tmp_path, {"counter": COUNTER}) as platform:
        assert handled(platform, id_)["counter.count"]["status"] == "done"
        assert state(platform, "counter") == {"count": 1, "other": 1}


def test_a_replay_nobody_listens_to_is_logged_though_no_platform_runs(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db", synchronous="OFF")
    submit = into_inbox(store, Router([handler_of(lambda: None)]), 0.0)
    (id_,) = replay(submit, [happened("1", type="com.example.other")])
    store.write({})

    assert [(entry["id"], entry["verdict"]) for entry in store.log.events()] == [(id_, "unmatched")]
    store.close()
