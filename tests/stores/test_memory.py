"""A store in memory that lies on another one: it begins with what that has, and leaves it as it is."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform import codec
from botplatform.errors import Conflict
from botplatform.source import EffectRequest
from botplatform.store import Change, Commit, Outcome, StateKey, Work, Write
from botplatform.stores.memory import MemoryStore
from tests.handlers import SOURCE, happened
from tests.stores.conftest import Clock

KEY = StateKey("demo", "key")
ADD_ONE = Write("add", b"1")


@pytest.fixture
def beneath(clock: Clock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def store(beneath: MemoryStore, clock: Clock) -> MemoryStore:
    return MemoryStore(clock, beneath)


def commit(id: str = "1", **asked: Any) -> Commit:
    return Commit(Work(SOURCE, id, "demo.handle"), happened(id), **{"outcome": Outcome(), **asked})


def write(store: MemoryStore, id: str, change: Write, key: StateKey = KEY) -> list[Change]:
    return list(store.commit(commit(id, writes={key: change})).changes)


def put(value: Any, expires: float | None = None) -> Write:
    return Write("put", codec.encode(value), expires)


def scanned(store: MemoryStore, prefix: str = "") -> dict[str, bytes | None]:
    return {key: value.json for key, value in store.scan("demo", prefix)}


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (put(7), b"7"),
        (Write("delete"), None),
        (ADD_ONE, b"2"),
        (Write("create", b"7"), b"1"),
    ],
)
def test_a_change_begins_with_what_is_beneath_and_leaves_that_alone(
    store: MemoryStore, beneath: MemoryStore, change: Write, after: bytes | None
) -> None:
    write(beneath, "before", put(1))

    assert write(store, "after", change) == ([] if after == b"1" else [Change(KEY, b"1", after)])
    assert store.read(KEY).json == after
    assert scanned(store) == ({} if after is None else {"key": after})
    assert scanned(beneath) == {"key": b"1"}


def test_a_value_that_was_changed_has_no_version_it_had_beneath(store: MemoryStore, beneath: MemoryStore) -> None:
    write(beneath, "before", put(1))
    seen = store.read(KEY).version
    write(store, "after", put(1))

    with pytest.raises(Conflict):
        store.commit(commit("late", reads={KEY: seen}))


def test_no_version_is_one_that_a_store_on_disk_gives(store: MemoryStore) -> None:
    write(store, "after", put(1))

    assert store.read(KEY).version < 0


def test_a_scan_gives_both_in_order_and_what_was_deleted_no_more(store: MemoryStore, beneath: MemoryStore) -> None:
    for name in ("a", "b", "d"):
        write(beneath, f"before {name}", put(0), StateKey("demo", name))
    write(store, "delete", Write("delete"), StateKey("demo", "b"))
    write(store, "put", put(1), StateKey("demo", "c"))
    write(store, "other", put(1), StateKey("demo2", "c"))

    assert list(scanned(store).items()) == [("a", b"0"), ("c", b"1"), ("d", b"0")]
    assert scanned(store, "c") == {"c": b"1"}


def test_a_value_that_expired_does_not_come_back_from_beneath(
    store: MemoryStore, beneath: MemoryStore, clock: Clock
) -> None:
    write(beneath, "before", put("old"))
    write(store, "after", put("new", expires=clock.now + 60))

    clock.now += 61
    assert (store.read(KEY).json, scanned(store)) == (None, {})


def test_what_is_done_beneath_can_be_done_once_more(store: MemoryStore, beneath: MemoryStore) -> None:
    done = commit(effects=[EffectRequest("text", {"to": "owner", "body": "hot"})])
    beneath.commit(done)

    assert store.outcome(done.work) is None
    assert store.pending() == []
    assert not store.commit(done).outcome.duplicate


@pytest.mark.parametrize("asked", [{"outcome": Outcome(reply={"text": object()})}, {"writes": {KEY: ADD_ONE}}])
def test_a_commit_that_cannot_be_leaves_no_trace(store: MemoryStore, beneath: MemoryStore, asked: Any) -> None:
    write(beneath, "before", put("text"))
    wrong = commit(**asked, effects=[EffectRequest("text", {})])
    with pytest.raises(TypeError):
        store.commit(wrong)

    assert (store.outcome(wrong.work), store.pending(), scanned(store)) == (None, [], {"key": b'"text"'})
