"""What is known in memory of what was done lately, and when it has to be forgotten."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from botplatform.store import Outcome, Work
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.recent import REPLY_LIMIT, Recent
from tests.handlers import happened, replaced
from tests.stores.conftest import Clock
from tests.stores.sqlite.work import commit

DONE = commit(happened("1"), outcome=Outcome(reply={"text": "hi"}, attempts=2, took=0.5, suppressed=("a text",)))
ROW = (None, 1, 0.0, None)


def works(count: int) -> list[Work]:
    return [Work("/tests", str(n), "demo.handle") for n in range(count)]


def unmark(path: Path) -> None:
    """Take all markers out of the file, behind the back of the store."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM outcomes")
        connection.commit()


def test_what_was_just_done_is_known_without_a_look_at_the_file(store: SqliteStore, path: Path) -> None:
    store.commit(DONE)
    unmark(path)

    assert store.outcome(DONE.work) == DONE.outcome._replace(duplicate=True)


def test_what_was_asked_for_is_known_from_then_on(path: Path, clock: Clock) -> None:
    first = SqliteStore(path, clock)
    first.commit(DONE)
    first.close()
    store = SqliteStore(path, clock)
    asked = store.outcome(DONE.work)
    unmark(path)

    assert asked == store.outcome(DONE.work) == DONE.outcome._replace(duplicate=True)
    store.close()


def test_what_pruning_forgot_is_not_known(store: SqliteStore, clock: Clock) -> None:
    store.commit(DONE)
    clock.now += 30 * 3600
    store.prune(3600)

    assert store.outcome(DONE.work) is None


@pytest.mark.parametrize(("size", "known"), [(0, True), (REPLY_LIMIT, False)])
def test_a_large_reply_is_read_from_the_file(store: SqliteStore, path: Path, size: int, known: bool) -> None:
    store.commit(replaced(DONE, outcome=Outcome(reply={"text": "x" * size})))
    found = store.outcome(DONE.work)
    unmark(path)

    assert found == Outcome(reply={"text": "x" * size}, duplicate=True)
    assert (store.outcome(DONE.work) is not None) is known


def test_a_commit_that_failed_is_not_known(store: SqliteStore) -> None:
    with pytest.raises(OverflowError):
        store.commit(replaced(DONE, outcome=Outcome(attempts=2**64)))

    assert store.outcome(DONE.work) is None


def test_only_so_many_are_remembered_and_the_oldest_are_not() -> None:
    recent = Recent(limit=10)
    for work in works(1000):
        recent.add({work: ROW})

    known = [work for work in works(1000) if recent.get(work)]
    assert 5 <= len(known) <= 10
    assert known == works(1000)[-len(known) :]


def test_asking_for_what_is_known_makes_it_no_more() -> None:
    recent = Recent(limit=10)
    for work in works(1000):
        recent.add({work: ROW})
        known = [other for other in works(1000) if recent.get(other)]
        assert len(known) <= 10


def test_what_is_asked_for_again_and_again_stays() -> None:
    recent = Recent(limit=10)
    for work in works(1000):
        recent.add({work: ROW})
        assert recent.get(works(1)[0]) == ROW
