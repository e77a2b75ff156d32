"""The end of a log: of a file that is replaced while it is read, and of events that become something else later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.inbox import Waiting
from botplatform.stores.sqlite.search import Search
from botplatform.tail import Entry, LocalEvents, LocalLines
from tests.handlers import happened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("one\ntwo\nthree\n")
    return path


@pytest.fixture
def tail(path: Path) -> Iterator[LocalLines]:
    tail = LocalLines(path)
    yield tail
    tail.close()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_latest_lines_come_oldest_first_and_then_only_new_ones(path: Path, tail: LocalLines) -> None:
    assert tail.latest(2) == ["two", "three"]
    assert tail.newer() == []
    append(path, "four\n")
    assert tail.newer() == ["four"]


def test_none_of_the_latest_still_leaves_the_new_ones(path: Path, tail: LocalLines) -> None:
    assert tail.latest(0) == []
    append(path, "four\n")
    assert tail.newer() == ["four"]


def test_half_a_line_waits_for_its_other_half(path: Path, tail: LocalLines) -> None:
    tail.latest(0)
    append(path, "fo")
    assert tail.newer() == []
    append(path, "ur\nfi")
    assert tail.newer() == ["four"]


def test_a_full_file_is_read_to_its_end_before_the_next(path: Path, tail: LocalLines) -> None:
    tail.latest(0)
    append(path, "four\n")
    path.rename(path.with_suffix(".1"))
    assert tail.newer() == ["four"]
    path.write_text("five\n")
    assert tail.newer() == ["five"]


# Events


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db")
    yield store
    store.close()


def waits(store: SqliteStore, id: str) -> Waiting:
    """An event that waits for its handler."""
    waiting = Waiting(happened(id), "demo.handle", 1, 0.0)
    store.inbox.keep([waiting])
    return waiting


def ids(entries: list[Entry]) -> list[str]:
    return [entry["id"] for entry in entries]


def test_each_event_is_shown_once(store: SqliteStore) -> None:
    events = LocalEvents(store.log, Search())
    waits(store, "1"), waits(store, "2")
    assert ids(events.latest(1)) == ["2"]
    waits(store, "3")
    assert [ids(events.newer()), ids(events.newer())] == [["3"], []]


def test_what_was_not_among_the_latest_does_not_come_later(store: SqliteStore) -> None:
    events = LocalEvents(store.log, Search(handler="demo"))
    waits(store, "1"), waits(store, "2")
    assert [ids(events.latest(1)), ids(events.newer())] == [["2"], []]


def test_an_event_that_fits_only_later_is_shown_then_and_once(store: SqliteStore) -> None:
    events = LocalEvents(store.log, Search(verdict="dead"))
    early, late = waits(store, "1"), waits(store, "2")
    assert ids(events.latest(10)) == []
    store.inbox.give_up(late)
    assert ids(events.newer()) == ["2"]
    store.inbox.give_up(early)
    assert [ids(events.newer()), ids(events.newer())] == [["1"], []]


def test_a_log_without_events_begins_to_have_some(store: SqliteStore) -> None:
    events = LocalEvents(store.log, Search())
    assert ids(events.latest(10)) == []
    waits(store, "1")
    assert [ids(events.newer()), ids(events.newer())] == [["1"], []]
