"""Who reads, and on how many connections."""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from botplatform.store import StateKey, Value, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.readers import Readers

KEY = StateKey("demo", "key")


def opened(folder: Path) -> int:
    """How many files of the folder this process has open."""
    files = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    return sum(file.startswith(str(folder)) for file in files)


def test_threads_that_come_and_go_leave_no_files_open(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    store.write({KEY: Write("put", b"1")})
    store.read(KEY)
    before = opened(tmp_path)
    for _ in range(20):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(store.read, KEY).result()
    assert opened(tmp_path) == before
    store.close()
    assert opened(tmp_path) == 0


def test_many_read_at_once(tmp_path: Path) -> None:
    store, together = SqliteStore(tmp_path / "state.db"), Barrier(8)

    def read(_: int) -> list[Value]:
        together.wait()
        return [store.read(KEY) for _ in range(100)]

    with ThreadPoolExecutor(8) as threads:
        assert [*threads.map(read, range(8))] == [[Value(None)] * 100] * 8
    store.close()
    assert opened(tmp_path) == 0


def test_a_connection_is_given_back_though_the_reading_failed(tmp_path: Path) -> None:
    made: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        made.append(sqlite3.connect(tmp_path / "state.db"))
        return made[-1]

    readers = Readers(connect)
    with pytest.raises(sqlite3.OperationalError):
        readers.query("SELECT nothing FROM nowhere", ())
    assert readers.query("SELECT 1", ()) == [(1,)]
    readers.close()
    assert (len(made), opened(tmp_path)) == (1, 0)
