"""What the store forgets, and what never."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform.errors import StateUnavailable
from botplatform.source import EffectRequest
from botplatform.store import Outcome, Run, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore, pruning
from tests.handlers import SOURCE, TYPE, happened, replaced
from tests.stores.conftest import Clock
from tests.stores.sqlite.work import HANDLER, KEY, commit, setting, waiting

TEXT = EffectRequest("text", {"to": "owner", "body": "hi"}, "owner")
DAY = 86400.0


def test_what_is_old_is_forgotten_and_what_is_young_is_not(store: SqliteStore, clock: Clock) -> None:
    store.commit(commit(happened("old")))
    clock.now += 2 * DAY
    store.commit(commit(happened("young")))

    assert store.prune(DAY) == 1
    assert [entry["id"] for entry in store.log.events()] == ["young"]
    assert store.outcome(Work(SOURCE, "old", HANDLER)) is None
    assert store.outcome(Work(SOURCE, "young", HANDLER)) is not None


def test_state_and_the_inbox_stay_however_old(store: SqliteStore, clock: Clock) -> None:
    store.commit(commit(happened("old"), writes={KEY: Write("put", b"7")}))
    store.inbox.keep([waiting(happened("2"))])
    store.inbox.give_up(waiting(happened("3")))
    clock.now += 365 * DAY
    store.prune(DAY)

    assert store.read(KEY).json == b"7"
    assert (len(store.inbox.waiting()), len(store.inbox.dead_letters())) == (1, 1)


@pytest.mark.parametrize("given_up", [True, False])
def test_an_event_with_an_effect_left_is_not_handled_again_however_old(
    store: SqliteStore, clock: Clock, given_up: bool
) -> None:
    unit = commit(happened("old"), effects=[TEXT])
    (effect,) = store.commit(unit).effects
    store.postponed(effect, "no answer", given_up)
    clock.now += 365 * DAY
    store.prune(DAY)

    assert store.commit(unit).outcome.duplicate


def test_an_event_that_was_forgotten_is_handled_like_a_new_one(store: SqliteStore, clock: Clock) -> None:
    unit = commit(happened("old"), effects=[TEXT])
    (effect,) = store.commit(unit).effects
    store.performed(effect, {})
    clock.now += 365 * DAY
    store.prune(DAY)

    assert not store.commit(unit).outcome.duplicate
    assert len(store.pending()) == 1


def test_what_is_older_is_forgotten_however_much_it_is(store: SqliteStore, clock: Clock) -> None:
    many = 2 * pruning.BATCH + 1
    for n in range(many):
        store.log.record(happened(str(n)), "unmatched")
    store.write({StateKey("demo", str(n)): Write("put", b"1", clock.now + 1) for n in range(many)})
    clock.now += 2 * DAY

    assert store.prune(DAY) == many
    assert store.log.count() == 0
    assert not list(store.scan("demo", ""))


def test_markers_are_forgotten_however_many_there_are_but_for_those_with_effects_left(
    store: SqliteStore, clock: Clock
) -> None:
    many = 2 * pruning.BATCH + 1
    store.commit(commit(happened("5"), effects=[TEXT]))
    for n in range(many):
        store.submit([commit(happened(f"old {n}"))], lambda _: None)
    clock.now += 2 * DAY
    store.commit(commit(happened("young")))
    store.prune(DAY)

    assert store._query("SELECT id FROM outcomes ORDER BY id", ()) == [("5",), ("young",)]


def test_a_marker_that_gets_an_effect_while_it_is_to_be_forgotten_stays(store: SqliteStore, clock: Clock) -> None:
    unit = commit(happened("old"))
    store.commit(unit)
    clock.now += 2 * DAY
    late = replaced(unit, outcome=Outcome(duplicate=True), follow_up=TEXT, run=Run(answered=True))

    def query(sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        found = store._query(sql, parameters)
        if found and "FROM outcomes" in sql:
            store.commit(late)
        return found

    pruning.Pruning(store._writer, query, clock.now).prune(DAY, limit=10)
    assert store.commit(unit).outcome.duplicate
    assert [effect.request for effect in store.pending()] == [TEXT]


def test_nothing_is_left_of_what_is_forgotten(store: SqliteStore, clock: Clock) -> None:
    for n in range(5):
        store.commit(commit(happened(str(n))))
    store.prune(DAY, limit=2)
    assert rows(store, "events") == rows(store, "outcomes") == 5  # the markers stay, and what says whose they are

    clock.now += 2 * DAY
    assert store.prune(DAY, limit=2) == 2
    assert rows(store, "events") == rows(store, "outcomes") == 0


def test_a_marker_that_was_set_late_does_not_keep_those_of_later_events(store: SqliteStore, clock: Clock) -> None:
    store.inbox.keep([waiting(happened("slow"))])
    store.commit(commit(happened("old")))
    clock.now += 2 * DAY
    store.commit(commit(happened("slow")))
    store.prune(DAY)

    assert store.outcomes([Work(SOURCE, id, HANDLER) for id in ("slow", "old")]).keys() == {
        Work(SOURCE, "slow", HANDLER)
    }


def test_what_left_the_log_is_not_found_there(store: SqliteStore) -> None:
    for n in range(3):
        store.commit(commit(happened(str(n))))
    store.prune(DAY, limit=1)

    assert (store.log.count(), store.log.by_id("0"), store.log.event(1), store.log.envelope(1)) == (1, [], None, None)
    with pytest.raises(StateUnavailable, match="not in the log"):
        store.as_of(SOURCE, "0", "demo.second")


def test_a_handler_of_an_event_that_left_the_log_puts_it_there_again(store: SqliteStore) -> None:
    for n in range(3):
        store.commit(commit(happened(str(n), subject="attic")))
    store.prune(DAY, limit=1)
    store.commit(replaced(commit(happened("0", subject="attic")), work=Work(SOURCE, "0", "demo.second")))

    (entry,) = [entry for entry in store.log.events() if entry["id"] == "0"]
    assert (entry["type"], entry["subject"], entry["verdict"], len(entry["handlers"])) == (TYPE, "attic", "accepted", 2)
    assert store.log.envelope(entry["number"]) == happened("0", subject="attic")


def test_an_event_that_left_the_log_and_that_nobody_listens_to_any_more_is_there_again(store: SqliteStore) -> None:
    for n in range(3):
        store.commit(commit(happened(str(n))))
    store.prune(DAY, limit=1)
    store.log.record(happened("0", subject="attic"), "unmatched")
    store.write({})  # the log waits for nobody; this does

    again, _ = store.log.events()
    assert (again["id"], again["subject"], again["deliveries"]) == ("0", "attic", 2)
    assert store.log.envelope(again["number"]) == happened("0", subject="attic")


def test_of_more_events_than_the_limit_the_oldest_are_forgotten(store: SqliteStore) -> None:
    for n in range(5):
        store.commit(commit(happened(str(n))))

    assert store.prune(DAY, limit=2) == 3
    assert [entry["id"] for entry in store.log.events()] == ["3", "4"]


@pytest.mark.parametrize(("hours", "again"), [(24, True), (26, False)])
def test_an_event_beyond_the_limit_is_known_for_another_day(
    store: SqliteStore, clock: Clock, hours: float, again: bool
) -> None:
    unit = setting("1", b"1")
    store.commit(unit)
    clock.now += hours * 3600
    for n in range(2, 4):
        store.commit(setting(str(n), b"1"))
    store.prune(7 * DAY, limit=1)

    assert [entry["id"] for entry in store.log.events()] == ["3"]
    assert store.commit(unit).outcome.duplicate is again


def test_changes_are_forgotten_with_their_events(store: SqliteStore, clock: Clock) -> None:
    store.commit(setting("old", b"1"))
    store.commit(setting("younger", b"2"))
    clock.now += 2 * DAY
    store.commit(setting("young", b"3"))
    store.prune(DAY)

    assert store.as_of(SOURCE, "young").read(KEY).json == b"2"
    assert changes(store) == 2  # of the old ones the last, which says how far back the rest goes


def rows(store: SqliteStore, table: str) -> int:
    (found,) = store._query(f"SELECT count(*) FROM {table}", ())[0]
    return int(found)


def changes(store: SqliteStore) -> int:
    return sum(len(handler["changes"]) for entry in store.log.events() for handler in entry["handlers"]) + 1
