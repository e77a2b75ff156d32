"""What is found in the log and among the dead letters."""

from __future__ import annotations

import pytest

from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.search import Search
from tests.handlers import SOURCE, happened
from tests.stores.conftest import Clock
from tests.stores.sqlite.work import HANDLER, commit, waiting

START = 1_800_000_000.0


@pytest.fixture
def log(store: SqliteStore, clock: Clock) -> SqliteStore:
    """An event a minute, with one of everything that can become of it."""
    store.commit(commit(happened("done", subject="kitchen/sink", data={"said": "Grüße, 100%"})))
    clock.now += 60
    store.inbox.keep([waiting(happened("waiting", source="mqtt://hall", type="org.example"), attempts=0)])
    clock.now += 60
    store.inbox.give_up(waiting(happened("dead", subject="bath", data='a "quoted" word'), reason="no such room"))
    clock.now += 60
    store.log.record(happened("unmatched", subject="kitchen"), "unmatched", "nobody listens")
    clock.now += 60
    store.log.reject("slack", "not JSON")
    store.write({})  # the log waits for nobody; this does
    return store


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), ["done", "waiting", "dead", "unmatched", None]),
        (Search(source="mqtt:"), ["waiting"]),
        (Search(source="qtt"), []),
        (Search(source="*hall"), ["waiting"]),
        (Search(type="org.example"), ["waiting"]),
        (Search(type="com.*.happened"), ["done", "dead", "unmatched"]),
        (Search(subject="kitchen"), ["done", "unmatched"]),
        (Search(subject="kitchen/?ink"), ["done"]),
        (Search(handler="demo."), ["done", "waiting", "dead"]),
        (Search(handler="*.other"), []),
        (Search(verdict="accepted"), ["done", "waiting", "dead"]),
        (Search(verdict="unmatched"), ["unmatched"]),
        (Search(verdict="rejected"), [None]),
        (Search(verdict="done"), ["done"]),
        (Search(verdict="waiting"), ["waiting"]),
        (Search(verdict="dead"), ["dead"]),
        (Search(verdict="failed"), ["dead"]),
        (Search(verdict="dead", handler=HANDLER), ["dead"]),
        (Search(verdict="dead", handler="other"), []),
        (Search(text="GRÜSSE"), []),
        (Search(text="GRÜßE, 100%"), []),
        (Search(text="grüße, 100%"), ["done"]),
        (Search(text="100%\\"), []),
        (Search(text='"quoted"'), ["dead"]),
        (Search(text='"subject":"bath"'), ["dead"]),
        (Search(text="nobody"), ["unmatched"]),
        (Search(text="JSON", verdict="rejected"), [None]),
        (Search(since=START + 60, until=START + 180), ["waiting", "dead"]),
    ],
    ids=str,
)
def test_the_log_is_searched(log: SqliteStore, search: Search, found: list[str | None]) -> None:
    assert [entry["id"] for entry in log.log.events(search=search)] == found
    assert log.log.count(search) == len(found)


def test_a_page_of_what_was_found_goes_on_where_the_last_one_ended(log: SqliteStore) -> None:
    accepted = Search(verdict="accepted")

    first, second = log.log.events(limit=2, search=accepted, newest_first=True)
    assert (first["id"], second["id"]) == ("dead", "waiting")
    older = log.log.events(limit=2, search=accepted, newest_first=True, before=second["number"])
    assert [entry["id"] for entry in older] == ["done"]


def test_entries_are_found_by_the_id_of_their_event(log: SqliteStore) -> None:
    log.log.record(happened("done", source="/elsewhere"), "unmatched")
    log.write({})

    assert [log.log.events(limit=1, after=number - 1)[0]["id"] for number in log.log.by_id("done")] == ["done"] * 2
    assert log.log.by_id("never") == []


def test_an_entry_has_its_event_unless_it_was_rejected(log: SqliteStore) -> None:
    (number,) = log.log.by_id("dead")

    assert log.log.envelope(number) == happened("dead", subject="bath", data='a "quoted" word')
    assert log.log.envelope(5) is None
    assert log.log.envelope(99) is None


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), ["a", "b"]),
        (Search(source=SOURCE), ["a"]),
        (Search(type="org."), ["b"]),
        (Search(subject="bath*"), ["a"]),
        (Search(handler=HANDLER), ["a", "b"]),
        (Search(handler="other"), []),
        (Search(text="no such"), ["a"]),
        (Search(text="celsius"), ["b"]),
        (Search(since=START + 1), ["b"]),
        (Search(until=START + 1), ["a"]),
    ],
    ids=str,
)
def test_dead_letters_are_searched(store: SqliteStore, clock: Clock, search: Search, found: list[str]) -> None:
    store.inbox.give_up(waiting(happened("a", subject="bathroom"), reason="no such room"))
    clock.now += 60
    store.inbox.give_up(waiting(happened("b", source="mqtt://hall", type="org.example", data={"celsius": 1})))
    store.inbox.keep([waiting(happened("c"))])

    assert [letter.event.id for letter in store.inbox.dead_letters(search)] == found
