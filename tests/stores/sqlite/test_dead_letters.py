"""What a person does with dead letters."""

from __future__ import annotations

import pytest

from botplatform.stores.sqlite import SqliteStore, inbox
from botplatform.stores.sqlite.inbox import Waiting
from tests.handlers import happened
from tests.stores.conftest import Clock
from tests.stores.sqlite.work import HANDLER, commit, waiting


@pytest.fixture
def letters(store: SqliteStore) -> list[Waiting]:
    """Three dead letters, and one event that only waits."""
    store.inbox.keep([waiting(happened("waiting"))])
    for n in range(3):
        store.inbox.give_up(waiting(happened(str(n)), attempts=5, reason="no such room"))
    return store.inbox.dead_letters()


def test_each_has_a_number_and_the_time_when_it_was_given_up(
    store: SqliteStore, letters: list[Waiting], clock: Clock
) -> None:
    first = store.inbox.dead_letter(letters[0].number)
    assert first == waiting(happened("0"), attempts=5, reason="no such room")
    assert first.changed == clock.now
    assert store.inbox.dead_letter(store.inbox.waiting()[0].number) is None
    assert store.inbox.size() == (1, 3)


def test_a_page_goes_on_where_the_last_one_ended(store: SqliteStore, letters: list[Waiting]) -> None:
    assert store.inbox.dead_letters(limit=2) == letters[:2]
    assert store.inbox.dead_letters(after=letters[1].number) == letters[2:]
    assert store.inbox.waiting(after=letters[0].number) == []


def test_one_that_is_retried_begins_again(store: SqliteStore, letters: list[Waiting], clock: Clock) -> None:
    clock.now += 60

    revived = store.inbox.revive([letters[1].number, letters[1].number, 999])
    assert revived == [waiting(happened("1"), attempts=0, due=clock.now, reason="no such room")]
    assert revived == store.inbox.waiting()[1:]
    assert store.inbox.size() == (2, 2)


def test_what_only_waits_is_neither_retried_nor_dropped_nor_edited(store: SqliteStore) -> None:
    store.inbox.keep([waiting(happened())])
    (number,) = [item.number for item in store.inbox.waiting()]

    assert store.inbox.revive([number]) == []
    assert store.inbox.drop([number]) == 0
    assert not store.inbox.edit(number, happened(data=1))
    assert store.inbox.waiting() == [waiting(happened())]


def test_one_that_is_dropped_is_gone_and_the_log_says_so(store: SqliteStore, letters: list[Waiting]) -> None:
    assert store.inbox.drop([letters[0].number, 999]) == 1
    assert store.inbox.dead_letters() == letters[1:]
    entry = store.log.events()[1]
    assert (entry["id"], entry["handlers"]) == ("0", [])
    assert entry["reason"] == f"{HANDLER} gave up (no such room) and was dropped"


def test_the_log_says_so_even_where_it_had_forgotten_the_event(
    store: SqliteStore, letters: list[Waiting], clock: Clock
) -> None:
    clock.now += 30 * 86400
    store.prune(86400)
    assert store.log.events() == []

    store.inbox.drop([letters[0].number])
    assert [entry["id"] for entry in store.log.events()] == ["0"]


def test_any_number_can_be_retried_and_dropped_at_once(store: SqliteStore) -> None:
    many = inbox.BATCH + 1
    for n in range(many):
        store.inbox.give_up(waiting(happened(str(n))))
    numbers = [letter.number for letter in store.inbox.dead_letters()]

    assert len(store.inbox.revive(numbers)) == many
    for item in store.inbox.waiting():
        store.inbox.give_up(item)
    assert store.inbox.drop(numbers) == many


def test_an_edited_one_is_handled_as_it_is_now(store: SqliteStore, letters: list[Waiting]) -> None:
    number = letters[0].number

    assert store.inbox.edit(number, happened("0", data={"room": "kitchen"}))
    assert [item.event.data for item in store.inbox.revive([number])] == [{"room": "kitchen"}]


def test_an_edit_does_not_make_another_event_of_it(store: SqliteStore, letters: list[Waiting]) -> None:
    assert not store.inbox.edit(letters[0].number, happened("another"))
    assert not store.inbox.edit(letters[0].number, happened("0", source="/elsewhere"))
    assert store.inbox.dead_letters() == letters


def test_a_retried_one_is_done_when_its_handler_is(store: SqliteStore, letters: list[Waiting]) -> None:
    store.inbox.revive([letters[0].number])
    store.commit(commit(happened("0")))

    assert [item.event.id for item in store.inbox.waiting()] == ["waiting"]


def test_what_is_kept_because_it_took_long_does_not_hide_why_it_was_given_up(
    store: SqliteStore, letters: list[Waiting]
) -> None:
    store.inbox.keep([waiting(happened("0"), attempts=0)], answered=True)
    assert store.inbox.dead_letters() == letters

    store.inbox.keep([waiting(happened("0"), attempts=6, reason="no such house")])
    assert [letter.reason for letter in store.inbox.dead_letters()] == ["no such house", "no such room", "no such room"]
