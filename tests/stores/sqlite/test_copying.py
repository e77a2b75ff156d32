"""Backups: of a store that goes on, whole, or not there at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from botplatform.errors import StateUnavailable
from botplatform.store import StateKey, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.copying import copy
from tests.disks import mounted
from tests.handlers import happened
from tests.stores.sqlite.damages import overwrite
from tests.stores.sqlite.work import KEY, commit, setting


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


def test_a_backup_is_a_store_with_all_there_was(store: SqliteStore, target: Path) -> None:
    unit = setting("1", b"7")
    store.commit(unit)
    store.backup(target)
    store.commit(setting("2", b"8"))

    backup = SqliteStore(target)
    assert backup.read(KEY).json == b"7"
    assert backup.commit(unit).outcome.duplicate
    assert backup.log.count() == 1
    backup.close()


def test_a_backup_is_one_file_that_only_its_owner_reads(store: SqliteStore, target: Path) -> None:
    store.backup(target)

    assert target.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in target.parent.glob("backup*")] == ["backup.db"]


def test_a_backup_is_of_one_moment_however_much_changes_meanwhile(store: SqliteStore, target: Path) -> None:
    both = [StateKey("demo", "first"), StateKey("demo", "last")]
    rest = {StateKey("demo", f"{n:04}"): Write("put", b'"%s"' % (b"x" * 10_000)) for n in range(1000)}
    store.write({**rest, **{key: Write("put", b"0") for key in both}})
    steps: list[int] = []

    def change(done: int, _: int) -> None:
        steps.append(done)
        assert steps == sorted({*steps}), "the copy starts over"
        store.write({key: Write("put", b"%d" % done) for key in both})

    copy(store.path, target, change)
    assert len(steps) > 1
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT value FROM state WHERE key IN ('first', 'last')").fetchall() == [(b"0",)] * 2


def test_nothing_is_overwritten(store: SqliteStore, target: Path) -> None:
    target.write_text("precious")

    with pytest.raises(StateUnavailable, match="is there already"):
        store.backup(target)
    assert target.read_text() == "precious"


def test_what_a_backup_that_was_killed_left_is_in_nobodys_way(store: SqliteStore, target: Path) -> None:
    target.with_name("backup.db.partial").write_text("half")

    store.backup(target)
    assert [file.name for file in target.parent.glob("backup*")] == ["backup.db"]


def test_a_folder_that_is_not_there_is_said_to_be_missing(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(StateUnavailable, match=r"backup\.db cannot be written: No such file or directory"):
        store.backup(tmp_path / "nowhere" / "backup.db")


def test_on_a_full_disk_there_is_no_half_a_backup(store: SqliteStore, tmp_path: Path) -> None:
    store.write({StateKey("demo", str(n)): Write("put", b'"%s"' % (b"x" * 10_000)) for n in range(50)})
    with mounted(tmp_path / "disk", "size=256k") as folder:
        with pytest.raises(StateUnavailable, match="disk is full"):
            store.backup(folder / "backup.db")
        assert not list(folder.iterdir())


def test_a_copy_of_something_damaged_is_refused(path: Path, target: Path) -> None:
    store = SqliteStore(path)
    for n in range(200):
        store.commit(commit(happened(str(n), data="x" * 500)))
    store.close()
    overwrite(path, 0.5, b"\xaa" * 4096)

    with pytest.raises(StateUnavailable, match=r"state\.db is damaged: "):
        copy(path, target)
    assert [file.name for file in target.parent.glob("backup*")] == []
