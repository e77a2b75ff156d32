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
from botplatform.stores.sqlite.schema import COPIES, MIGRATIONS, migrate
from tests.handlers import SOURCE, happened
from tests.stores.conftest import Clock
from tests.stores.sqlite.work import HANDLER, KEY, commit, setting, waiting

# What version 1 wrote for an event that was handled, and for one that was given up.
ROWS = """
    INSERT INTO events VALUES (1, '/tests', '1', 'com.example.happened', NULL, 1799999000.0, 'accepted', '', NULL, 2);
    INSERT INTO outcomes VALUES ('/tests', '1', 'demo.handle', 1799999001.0, 0.25, 1, '{"text":"hi"}', NULL);
    INSERT INTO state VALUES ('demo', 'k', CAST('7' AS BLOB), 1799999001000000000, NULL);
    INSERT INTO effects VALUES
        (1, '/tests', '1', 'demo.handle', 0, 'text', '{"to":"owner"}', 'owner', 'pending', 1, 1799999001.0, NULL);
"""
# What version 2 wrote for an event that changed a value.
ROWS_OF_2 = """
    INSERT INTO events VALUES (1, '/tests', '1', 'com.example.happened', NULL, 1799999000.0, 'accepted', '', NULL, 1);
    INSERT INTO outcomes VALUES
        ('/tests', '1', 'demo.handle', 1799999001.0, 0.25, 1, NULL, NULL, 1, 1799999001000000000);
    INSERT INTO state VALUES ('demo', 'k', CAST('7' AS BLOB), 1799999001000000000, NULL);
    INSERT INTO changes VALUES (1799999001000000000, 'demo', 'k', NULL, CAST('7' AS BLOB), NULL, 1799999001.0);
"""


@pytest.fixture
def old(path: Path) -> Path:
    """A file as version 1 left it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {MIGRATIONS[0]} PRAGMA user_version = 1; {ROWS} COMMIT;")
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
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {''.join(MIGRATIONS[:2])} PRAGMA user_version = 2; {ROWS_OF_2} COMMIT;")
    store = SqliteStore(path, clock)

    assert store.outcome(Work(SOURCE, "1", HANDLER)) == Outcome(took=0.25, duplicate=True)
    assert store.commit(commit(happened("1"))).outcome.duplicate
    store.commit(setting("2", b"8"))
    assert store.as_of(SOURCE, "1").read(KEY).json is None
    assert store.as_of(SOURCE, "2").read(KEY).json == b"7"
    assert [len(handled["changes"]) for entry in store.log.events() for handled in entry["handlers"]] == [1, 1]
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
