"""Which events of the log are meant, by name or by a search, and what they did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botplatform import Event
from botplatform.errors import Rejected
from botplatform.hosts.local.past import Picked, effects_of, found, heard, named, without_consequences
from botplatform.router import Router
from botplatform.source import EffectRequest
from botplatform.store import Commit, Outcome, Work
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.search import Search
from tests.handlers import SOURCE, handler_of, happened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", synchronous="OFF")
    yield store
    store.close()


def handle(store: SqliteStore, event: Event, handler: str = "demo.handle", *effects: str) -> None:
    """Log an event that had these effects."""
    requests = [EffectRequest(name, {}) for name in effects]
    done = store.commit(Commit(Work(event.source, event.id, handler), event, Outcome(), effects=requests))
    for effect in done.effects:
        store.performed(effect, {})


def ids(picked: Picked) -> list[str]:
    return [past.id for past in picked.events]


def test_events_are_named_by_number_or_id_and_come_in_their_order_each_once(store: SqliteStore) -> None:
    for id_ in "abcdefg98":
        handle(store, happened(id_))

    assert ids(named(store.log, ["8", "b", "1", "a"])) == ["a", "b", "9"]


def test_an_id_that_two_sources_use_names_no_event(store: SqliteStore) -> None:
    handle(store, happened("a"))
    handle(store, happened("a", source="/others"))

    with pytest.raises(Rejected, match=r"2 events have the id a: say which by its number, \[1, 2\]"):
        named(store.log, ["a"])
    assert [past.source for past in named(store.log, ["2"]).events] == ["/others"]


@pytest.mark.parametrize("name", ["2", "nobody", str(2**70)])
def test_what_is_not_in_the_log_cannot_be_named(store: SqliteStore, name: str) -> None:
    handle(store, happened("a"))

    with pytest.raises(Rejected, match=f"there is no event {name} in the log"):
        named(store.log, [name])


def test_what_was_rejected_is_no_event(store: SqliteStore) -> None:
    store.log.reject("slack", "no JSON")
    handle(store, happened("a"))

    with pytest.raises(Rejected, match="1 was rejected: there is no event that could be handled again"):
        named(store.log, ["1"])
    assert ids(found(store.log, Search())) == ["a"]
    assert found(store.log, Search()).left_out == {"that were rejected when they came": 1}


def test_a_search_leaves_out_what_was_a_replay(store: SqliteStore) -> None:
    handle(store, happened("a"))
    handle(store, happened("b", extensions={"replayof": "a"}))

    assert ids(found(store.log, Search())) == ["a"]
    assert found(store.log, Search()).left_out == {"that are replays themselves": 1}
    assert ids(named(store.log, ["b"])) == ["b"]


def test_a_search_finds_more_than_a_page(store: SqliteStore) -> None:
    for number in range(1003):
        store.log.record(happened(str(number)), "unmatched")
    store.write({})

    assert len(found(store.log, Search()).events) == 1003
    assert ids(found(store.log, Search(text='"id":"1002"'))) == ["1002"]


def test_what_nobody_listens_to_now_is_left_out(store: SqliteStore) -> None:
    handle(store, happened("a"))
    handle(store, happened("b", type="com.example.other"))
    everything, router = found(store.log, Search()), Router([handler_of(handle)])

    assert (
        ids(heard(store.log, everything, router)) == ids(heard(store.log, everything, router, "demo.handle")) == ["a"]
    )
    assert heard(store.log, everything, router).left_out == {"to which no handler listens": 1}
    assert heard(store.log, everything, router, "demo.other").left_out == {"to which demo.other does not listen": 2}


def test_what_others_bring_about_again_is_left_out(store: SqliteStore) -> None:
    handle(store, happened("a"))
    handle(store, happened("b", extensions={"causationid": "a"}))
    handle(store, happened("c", extensions={"causationid": "somebody else's"}))
    picked = without_consequences(found(store.log, Search()))

    assert (ids(picked), picked.left_out) == (["a", "c"], {"that others among these bring about again": 1})


def test_the_effects_that_were_performed_are_counted_for_all_handlers_or_for_one(store: SqliteStore) -> None:
    handle(store, happened("a"), "demo.first", "text", "text", "slack")
    handle(store, happened("a"), "demo.second", "text")
    waiting = Commit(Work(SOURCE, "b", "demo.first"), happened("b"), Outcome(), effects=[EffectRequest("text", {})])
    store.commit(waiting)
    events = found(store.log, Search()).events

    assert effects_of(events) == {"text": 3, "slack": 1}
    assert effects_of(events, "demo.second") == {"text": 1}
