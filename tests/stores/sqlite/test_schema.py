"""Files of older and newer versions."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from botplatform.errors import StateUnavailable
from botplatform.store import Outcome, Work
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.reading import reading
from botplatform.stores.sqlite.schema import COPIES, migrate
from tests.handlers import SOURCE, happened, replaced
from tests.stores.conftest import Clock
from tests.stores.sqlite import versions
from tests.stores.sqlite.versions import DONE_IN_3
from tests.stores.sqlite.work import HANDLER, KEY, commit, setting, waiting


@pytest.fixture
def third(path: Path) -> Path:
    """A file as version 3 left it."""
    versions.write(path, 3)
    return path


@pytest.fixture
def old(path: Path) -> Path:
    """A file as version 1 left it."""
    versions.write(path, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        row = (2, SOURCE, "2", HANDLER, happened("2", data={"a": 1}).to_json(), 5, 9.0, 1, "hopeless", 9.0)
        connection.execute(f"INSERT INTO inbox VALUES ({', '.join('?' * len(row))})", row)
    return path


def test_everything_in_a_file_of_version_1_is_there_in_this_one(old: Path, clock: Clock) -> None:
    store = SqliteStore(old, clock)

    assert store.outcome(Work(SOURCE, "1", HANDLER)) == Outcome({"text": "hi"}, took=0.25, duplicate=True)
    assert store.read(KEY).json == b"7"
    (effect,) = store.pending()
    assert (effect.request.name, effect.request.arguments, effect.attempts) == ("text", {"to": "owner"}, 1)
    assert store.inbox.dead_letters() == [waiting(happened("2", data={"a": 1}), attempts=5, due=9.0, reason="hopeless")]
    (entry,) = store.log.events()
    assert (entry["id"], entry["deliveries"], entry["handlers"][0]["changes"]) == ("1", 2, [])
    store.close()


def test_a_file_of_version_1_goes_on_in_this_one(old: Path, clock: Clock) -> None:
    store = SqliteStore(old, clock)

    assert store.commit(commit(happened("1"))).outcome.duplicate
    store.commit(setting("3", b"8"))
    assert store.as_of(SOURCE, "3").read(KEY).json == b"7"
    with pytest.raises(StateUnavailable, match="before this version was installed"):
        store.as_of(SOURCE, "1")
    store.close()


def test_a_file_of_version_2_goes_on_in_this_one(path: Path, clock: Clock) -> None:
    versions.write(path, 2)
    store = SqliteStore(path, clock)

    assert store.outcome(Work(SOURCE, "1", HANDLER)) == Outcome(took=0.25, duplicate=True)
    assert store.commit(commit(happened("1"))).outcome.duplicate
    store.commit(setting("2", b"8"))
    assert store.as_of(SOURCE, "1").read(KEY).json is None
    assert store.as_of(SOURCE, "2").read(KEY).json == b"7"
    assert [len(handled["changes"]) for entry in store.log.events() for handled in entry["handlers"]] == [1, 1]
    store.close()


def test_everything_in_the_log_of_version_3_is_there_in_this_one(third: Path, clock: Clock) -> None:
    store = SqliteStore(third, clock)
    entries = store.log.events()

    assert [(entry["number"], entry["id"], entry["deliveries"]) for entry in entries] == [
        (7, "b", 2),
        (8, None, 1),
        (9, "a", 1),
    ]
    assert [[handled["handler"] for handled in entry["handlers"]] for entry in entries] == [
        [HANDLER, "demo.slow"],
        [],
        [HANDLER, "demo.other"],
    ]
    (done, _), (first, second) = entries[0]["handlers"], entries[2]["handlers"]
    assert [effect["arguments"] for effect in done["effects"]] == [{"to": "owner"}]
    assert [(change["before"], change["after"]) for change in done["changes"]] == [(6, 7)]
    assert (first["reply"], first["suppressed"], first["finished"]) == ({"text": "a"}, ["a text"], 1799999003.0)
    assert (second["reply"], second["attempts"], second["took"]) == (None, 2, 0.5)
    assert [store.as_of(SOURCE, id).read(KEY).json for id in "ab"] == [b"7", b"6"]
    store.close()


@pytest.mark.parametrize("work", DONE_IN_3, ids=str)
def test_work_that_was_done_in_version_3_is_not_done_again(third: Path, clock: Clock, work: Work) -> None:
    store = SqliteStore(third, clock)
    known = store.outcome(work)
    again = replaced(commit(happened(work.id, source=work.source)), work=work)

    assert known
    assert store.outcomes(DONE_IN_3)[work] == store.commit(again).outcome == known
    assert known.reply == ({"text": work.id} if (work.source, work.handler) == (SOURCE, HANDLER) else None)
    store.close()


def test_events_that_version_3_did_not_know_come_behind_the_others(third: Path, clock: Clock) -> None:
    store = SqliteStore(third, clock)
    store.commit(commit(happened("new")))

    assert [(entry["number"], entry["id"]) for entry in store.log.events(after=8)] == [(9, "a"), (10, "new")]
    assert store.log.count() == 4
    store.close()


def test_where_the_log_of_version_3_was_empty_numbers_are_positive(third: Path, clock: Clock) -> None:
    with closing(sqlite3.connect(third, isolation_level=None)) as connection:
        connection.execute("DELETE FROM events")
    store = SqliteStore(third, clock)
    store.commit(commit(happened("new")))

    assert [entry["id"] for entry in store.log.events()] == ["new"]
    assert store.outcomes(DONE_IN_3).keys() == {*DONE_IN_3}
    store.close()


def test_it_is_kept_as_it_was_and_the_log_says_where(old: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    SqliteStore(old, clock).close()
    SqliteStore(old, clock).close()

    (kept,) = old.parent.glob("*.backup")
    assert kept.name == "state.db.v1-20270115T080000.000000Z.backup"
    assert kept.name in caplog.text
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (1,)


def test_only_the_latest_copies_are_kept(old: Path, clock: Clock) -> None:
    earlier = [old.with_name(f"state.db.v1-2026010{n}T000000Z.backup") for n in range(COPIES)]
    for n, copy in enumerate(earlier):
        copy.touch()
        os.utime(copy, (n, n))
    SqliteStore(old, clock).close()

    assert len(list(old.parent.glob("*.backup"))) == COPIES
    assert not earlier[0].exists()


@pytest.mark.parametrize("steps", [1, 5, 20, 60])
def test_a_migration_that_is_cut_off_leaves_the_file_as_it_was(old: Path, clock: Clock, steps: int) -> None:
    left = iter(range(steps))
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.set_progress_handler(lambda: next(left, None) is None, 10)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            migrate(connection, old, clock())

    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'changes'").fetchall()
    store = SqliteStore(old, clock)
    assert store.read(KEY).json == b"7"
    store.close()


def test_without_room_for_a_copy_nothing_is_changed(old: Path, clock: Clock) -> None:
    old.with_name("state.db.v1-20270115T080000.000000Z.backup.partial").mkdir()

    with pytest.raises(StateUnavailable, match=r"v1-20270115T080000\.000000Z\.backup cannot be written"):
        SqliteStore(old, clock)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_tool_does_not_read_what_is_of_another_version(old: Path) -> None:
    with pytest.raises(StateUnavailable, match="start the platform once"), reading(old):
        pass
