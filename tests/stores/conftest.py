"""Each store there is, for the tests that all of them pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botplatform.store import Store
from botplatform.stores.sqlite import SqliteStore


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite"])
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "state.db", clock, synchronous="OFF")
    yield store
    store.close()
