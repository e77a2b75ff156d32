"""Damaged files: noticed, set aside, and saved as far as they can be read."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from botplatform.errors import StateUnavailable
from botplatform.store import StateKey, Write
from botplatform.stores.sqlite import SqliteStore, opening
from botplatform.stores.sqlite.copying import beside
from botplatform.stores.sqlite.opening import prepare, restore_at_start
from botplatform.stores.sqlite.reading import reading
from tests.handlers import SOURCE, happened
from tests.stores.sqlite import damages, versions
from tests.stores.sqlite.versions import DONE_IN_3
from tests.stores.sqlite.work import KEY, commit, setting, waiting

ROWS = 2000


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with many rows in every table."""
    path = tmp_path_factory.mktemp("sound") / "state.db"
    store = SqliteStore(path, synchronous="OFF")
    for n in range(ROWS):
        key = StateKey("demo", f"{n:05}")
        store.commit(commit(happened(str(n), data="x" * n), writes={key: Write("put", b"%d" % n)}))
    store.inbox.keep([waiting(happened(f"waiting {n}")) for n in range(ROWS)])
    store.close()
    return path.read_bytes()


@pytest.fixture
def damaged(path: Path, sound: bytes) -> Path:
    """That file as a process left it that was killed: to be damaged by the test."""
    path.write_bytes(sound)
    path.with_name("state.db-wal").touch()
    return path


def saved(path: Path) -> tuple[int, int, int, int]:
    """How much is there: events, values, work that waits, and markers."""
    with reading(path) as found:
        values = dict(found.scan("demo", ""))
        assert all(value.json == b"%d" % int(key) for key, value in values.items())
        markers = [n for n in range(ROWS) if found.outcome(commit(happened(str(n))).work)]
        return found.log.count(), len(values), found.inbox.size()[0], len(markers)


@pytest.mark.parametrize(
    ("damage", "least"),
    [
        (damages.garble, 0.95),
        (damages.cut_off, 0.5),
        (damages.behead, 1.0),
        (damages.empty_first_page, 0.0),
        (damages.replace, 0.0),
    ],
)
def test_what_can_be_read_of_a_damaged_file_goes_on(
    damaged: Path, damage: Callable[[Path], None], least: float, caplog: pytest.LogCaptureFixture
) -> None:
    damage(damaged)
    content = damaged.read_bytes()
    prepare(damaged)

    (aside,) = damaged.parent.glob("*.damaged-*Z")
    assert aside.read_bytes() == content
    assert aside.with_name(f"{aside.name}-wal").exists()
    found = saved(damaged)
    assert sum(found) >= least * 5 * ROWS
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert f"state {found[1]:,}" in said[0]
    store = SqliteStore(damaged)
    assert not store.commit(setting("after", b"1")).outcome.duplicate
    store.close()
    assert not opening.damage(damaged, thoroughly=True)


def test_a_sound_file_is_left_alone_after_an_unclean_end(damaged: Path, caplog: pytest.LogCaptureFixture) -> None:
    prepare(damaged)

    assert saved(damaged) == (2 * ROWS, ROWS, ROWS, ROWS)
    assert not caplog.records
    assert not list(damaged.parent.glob("*.damaged-*"))


@pytest.mark.parametrize("damage", [damages.behead, damages.cut_off, damages.replace])
def test_what_is_no_database_any_more_is_noticed_after_a_clean_end_too(
    path: Path, sound: bytes, damage: Callable[[Path], None]
) -> None:
    path.write_bytes(sound)
    damage(path)
    prepare(path)

    SqliteStore(path).close()
    assert len(list(path.parent.glob("*.damaged-*Z"))) == 1


def test_a_file_of_version_3_is_saved_too(path: Path) -> None:
    versions.write(path, 3)
    damages.behead(path)
    prepare(path)

    store = SqliteStore(path)
    assert store.outcomes(DONE_IN_3).keys() == {*DONE_IN_3}
    assert [entry["number"] for entry in store.log.events()] == [7, 8, 9]
    store.close()


def test_a_marker_is_known_where_its_log_entry_is_lost(damaged: Path) -> None:
    """What is new must not get the number of one that is lost: it would count as done."""
    with closing(sqlite3.connect(damaged, isolation_level=None)) as connection:
        connection.execute("DELETE FROM events WHERE seq > 1000")
    damages.behead(damaged)
    prepare(damaged)

    store = SqliteStore(damaged)
    assert not store.commit(commit(happened("new"))).outcome.duplicate
    assert store.commit(commit(happened("1500"))).outcome.duplicate
    store.close()


def test_a_marker_of_another_event_than_its_number_says_is_not_saved(damaged: Path) -> None:
    with closing(sqlite3.connect(damaged, isolation_level=None)) as connection:
        connection.execute("UPDATE outcomes SET id = 'rubbish' WHERE number = 7")
    damages.behead(damaged)
    prepare(damaged)

    with reading(damaged) as found:
        assert found.outcome(commit(happened("5")).work)
        assert not found.outcome(commit(happened("6")).work)


def test_rubbish_is_not_saved(damaged: Path) -> None:
    """A text that is none and a value that is no JSON: SQLite itself sees nothing wrong with either."""
    content = damaged.read_bytes()
    for good, bad in ((b"demo01000", b"demo\xff1000"), (b"demo010011001", b"demo01001x001")):
        assert good in content
        content = content.replace(good, bad)
    damaged.write_bytes(content)
    damages.overwrite(damaged, 0.99, b"\xaa" * damages.PAGE)
    prepare(damaged)

    with reading(damaged) as found:
        assert not {"01000", "01001"} & {key for key, _ in found.scan("demo", "")}


def test_a_whole_history_is_kept(damaged: Path) -> None:
    damages.behead(damaged)
    prepare(damaged)

    with reading(damaged) as found:
        assert dict(found.as_of(SOURCE, "1000").scan("demo", "")).keys() == {f"{n:05}" for n in range(1000)}


def test_a_history_with_gaps_is_not_kept(damaged: Path) -> None:
    damages.cut_off(damaged)
    prepare(damaged)

    store = SqliteStore(damaged)
    store.commit(setting("after", b"1"))
    assert store.as_of(SOURCE, "after").read(KEY).json is None
    handled = next(entry["id"] for entry in store.log.events() if entry["handlers"])
    with pytest.raises(StateUnavailable, match="not kept any more"):
        store.as_of(SOURCE, handled)
    store.close()


@pytest.mark.parametrize("damage", [damages.behead, damages.cut_off])
def test_what_is_in_the_journal_only_is_saved_too(
    path: Path, sound: bytes, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path.write_bytes(sound)
    store = SqliteStore(path)
    store.commit(setting("after", b"1"))
    killed = tmp_path / "killed.db"
    killed.write_bytes(path.read_bytes())
    killed.with_name("killed.db-wal").write_bytes(path.with_name("state.db-wal").read_bytes())
    store.close()
    damage(killed)
    prepare(killed)

    with reading(killed) as found:
        assert found.read(KEY).json == b"1"


def test_a_process_that_died_while_it_mended_is_followed_by_one_that_goes_on(damaged: Path, sound: bytes) -> None:
    """It had saved all, and set aside the damaged file, when it died."""
    damages.replace(damaged)
    damaged.rename(damaged.with_name("state.db.damaged-1"))
    damaged.with_name("state.db-wal").unlink()
    damaged.with_name("state.db.saved").write_bytes(sound)
    prepare(damaged)

    assert saved(damaged) == (2 * ROWS, ROWS, ROWS, ROWS)
    assert not damaged.with_name("state.db.saved").exists()


def test_damage_that_shows_while_it_runs_is_said_once_and_nothing_is_acknowledged(
    path: Path, sound: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(sound)
    store = SqliteStore(path)
    damages.spoil(path)

    for n in range(3):
        with pytest.raises(StateUnavailable, match="it is damaged: the next start saves what can be saved"):
            store.commit(commit(happened(f"new {n}"), writes={KEY: Write("put", b"1")}))
    assert "damaged" in store.damage
    assert len(caplog.records) == 1
    store.close()


def test_two_restores_in_a_row_leave_both_states_before(path: Path, tmp_path: Path) -> None:
    for n in range(3):
        store = SqliteStore(path)
        store.commit(setting(str(n), b"%d" % n))
        store.backup(tmp_path / f"backup {n}.db")
        store.close()
        restore_at_start(tmp_path / f"backup {n}.db", path)
        prepare(path)

    assert len(list(path.parent.glob("*.before-restore-*Z"))) == 3


# Restoring.


def test_a_backup_takes_the_place_of_the_state_at_the_next_start(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path)
    store.commit(setting("1", b"1"))
    store.backup(tmp_path / "backup.db")
    store.commit(setting("2", b"2"))
    restore_at_start(tmp_path / "backup.db", path)
    assert store.read(KEY).json == b"2"
    store.close()

    prepare(path)
    with reading(path) as restored:
        assert restored.read(KEY).json == b"1"
    (before,) = path.parent.glob("*.before-restore-*Z")
    with reading(before) as kept:
        assert kept.read(KEY).json == b"2"


def test_what_a_killed_process_had_committed_is_kept_with_the_state_before(path: Path, tmp_path: Path) -> None:
    """The latest changes may be in the file's journal only: that moves with it."""
    store = SqliteStore(path)
    store.backup(tmp_path / "backup.db")
    store.commit(setting("1", b"1"))
    for suffix in ("", "-wal"):
        path.with_name(f"killed.db{suffix}").write_bytes(path.with_name(f"state.db{suffix}").read_bytes())
    store.close()
    killed = path.with_name("killed.db")
    restore_at_start(tmp_path / "backup.db", killed)
    prepare(killed)

    (before,) = path.parent.glob("killed.db.before-restore-*Z")
    with reading(before) as kept, reading(killed) as restored:
        assert (kept.read(KEY).json, restored.read(KEY).json) == (b"1", None)


@pytest.mark.parametrize("moved", [(), ("",), ("", "-wal")], ids=len)
def test_a_process_that_died_while_it_restored_is_followed_by_one_that_goes_on(
    path: Path, sound: bytes, moved: tuple[str, ...]
) -> None:
    ready = path.with_name("state.db.restore")
    ready.write_bytes(sound)
    for suffix in ("", "-wal"):
        path.with_name(f"state.db{suffix}").write_text("before")
    for suffix in moved:
        path.with_name(f"state.db{suffix}").rename(beside(path, "before-restore", ready.stat().st_mtime, suffix))
    prepare(path)

    assert saved(path) == (2 * ROWS, ROWS, ROWS, ROWS)
    before = sorted(path.parent.glob("*.before-restore-*"))
    assert [file.read_text() for file in before] == ["before"] * 2
    assert before[1].name == f"{before[0].name}-wal"


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "it is no state of botplatform"), (b"not a database, but long" * 100, "file is not a database")],
)
def test_what_is_no_state_is_not_restored(path: Path, tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(StateUnavailable, match=f"file cannot be restored: {why}"):
        restore_at_start(tmp_path / "file", path)
    assert not path.with_name("state.db.restore").exists()


def test_a_damaged_backup_is_not_restored(path: Path, tmp_path: Path, sound: bytes) -> None:
    (tmp_path / "backup.db").write_bytes(sound)
    damages.garble(tmp_path / "backup.db")

    with pytest.raises(StateUnavailable, match=r"backup\.db is damaged"):
        restore_at_start(tmp_path / "backup.db", path)


def test_a_backup_of_a_newer_version_is_not_restored(path: Path, tmp_path: Path) -> None:
    SqliteStore(tmp_path / "backup.db").close()
    connection = sqlite3.connect(tmp_path / "backup.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StateUnavailable, match="written by a newer botplatform"):
        restore_at_start(tmp_path / "backup.db", path)
