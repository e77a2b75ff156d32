"""What a commit changed: told to whoever committed, shown in the log, and undone to see the state as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from botplatform.errors import StateUnavailable
from botplatform.source import EffectRequest
from botplatform.state import TOLD_LIMIT
from botplatform.store import Change, StateKey, Value, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.reading import reading
from tests.handlers import SOURCE, happened, replaced
from tests.stores.conftest import Clock
from tests.stores.sqlite.work import HANDLER, KEY, commit, setting, waiting

TEXT = EffectRequest("text", {"to": "owner", "body": "hi"}, "owner")
LARGE = b'"' + b"x" * TOLD_LIMIT + b'"'


@pytest.mark.parametrize(
    ("write", "after"),
    [
        (Write("put", b"8"), b"8"),
        (Write("delete"), None),
        (Write("add", b"2"), b"9"),
    ],
)
def test_a_change_is_told_and_shown_in_the_log(store: SqliteStore, write: Write, after: bytes | None) -> None:
    store.write({KEY: Write("put", b"7")})

    told = store.commit(commit(happened(), writes={KEY: write})).changes
    assert told == [Change(KEY, b"7", after)]
    assert logged(store) == [{"plugin": "demo", "key": "k", "before": 7} | ({"after": int(after)} if after else {})]


@pytest.mark.parametrize("write", [Write("create", b"8"), Write("put", b"7"), Write("add", b"0")])
def test_what_leaves_a_value_as_it_is_is_no_change(store: SqliteStore, write: Write) -> None:
    store.write({KEY: Write("put", b"7")})

    assert store.commit(commit(happened(), writes={KEY: write})).changes == []
    assert logged(store) == []


def test_each_event_is_shown_with_its_own_changes(store: SqliteStore) -> None:
    for n in range(3):
        store.commit(setting(str(n), b"%d" % n))
    assert [logged(store, n)[0]["after"] for n in range(3)] == [0, 1, 2]


def test_an_event_that_comes_again_changes_nothing_and_keeps_what_it_changed(store: SqliteStore) -> None:
    store.commit(setting("1", b"7"))

    assert not store.commit(setting("1", b"8")).changes
    assert [change["after"] for change in logged(store)] == [7]


def test_what_a_host_keeps_for_itself_is_in_no_history(store: SqliteStore) -> None:
    own = StateKey("@mqtt", "k")

    assert store.commit(commit(happened(), writes={own: Write("put", b"7")})).changes == []
    assert store.read(own).json == b"7"
    assert logged(store) == []


def test_of_a_large_value_the_log_has_the_size(store: SqliteStore) -> None:
    assert store.commit(setting("1", LARGE)).changes == [Change(KEY, None, LARGE)]
    assert logged(store) == [{"plugin": "demo", "key": "k", "size": len(LARGE)}]


def test_changes_after_a_restart_are_not_taken_for_those_before(path: Path) -> None:
    first = SqliteStore(path)
    first.commit(setting("0", b"0"))
    first.close()
    second = SqliteStore(path)
    second.commit(setting("1", b"1"))

    assert [len(logged(second, n)) for n in range(2)] == [1, 1]
    second.close()


# The state as it was.


@pytest.fixture
def history(store: SqliteStore) -> SqliteStore:
    """Events 0 to 3, each of which set the value to its number; the last deleted it."""
    for n in range(3):
        store.commit(setting(str(n), b"%d" % n))
    store.commit(commit(happened("3"), writes={KEY: Write("delete")}))
    return store


@pytest.mark.parametrize(("id", "before"), [("0", None), ("1", b"0"), ("2", b"1"), ("3", b"2")])
def test_the_state_is_seen_as_it_was_before_an_event(history: SqliteStore, id: str, before: bytes | None) -> None:
    state = history.as_of(SOURCE, id)

    assert state.read(KEY).json == before
    assert [(key, value.json) for key, value in state.scan("demo", "")] == ([("k", before)] if before else [])


def test_what_was_not_changed_since_is_as_it_is_now(store: SqliteStore) -> None:
    store.write({StateKey("demo", "kept"): Write("put", b"1"), StateKey("other", "kept"): Write("put", b"2")})
    store.commit(setting("1", b"7"))

    state = store.as_of(SOURCE, "1")
    assert state.read(StateKey("demo", "kept")).json == b"1"
    assert [key for key, _ in state.scan("demo", "")] == ["kept"]


def test_each_handler_sees_what_those_before_it_did(store: SqliteStore) -> None:
    first = setting("1", b"7")
    store.commit(first)
    store.commit(replaced(first, work=first.work._replace(handler="demo.second"), writes={KEY: Write("put", b"8")}))

    assert store.as_of(SOURCE, "1").read(KEY) == Value(None)
    assert store.as_of(SOURCE, "1", HANDLER).read(KEY) == Value(None)
    assert store.as_of(SOURCE, "1", "demo.second").read(KEY).json == b"7"


def test_an_event_nobody_handled_saw_what_there_was_when_it_arrived(store: SqliteStore, clock: Clock) -> None:
    store.commit(setting("1", b"1"))
    clock.now += 1
    store.inbox.give_up(waiting(happened("2")))
    clock.now += 1
    store.commit(setting("3", b"3"))

    assert store.as_of(SOURCE, "2").read(KEY).json == b"1"


def test_a_value_whose_time_is_over_since_was_there(store: SqliteStore, clock: Clock) -> None:
    store.write({KEY: Write("put", b"1", clock.now + 10)})
    store.commit(commit(happened("1")))
    clock.now += 20

    assert store.read(KEY).json is None
    assert store.as_of(SOURCE, "1").read(KEY).json == b"1"


def test_a_value_that_was_too_large_to_keep_is_not_made_up(store: SqliteStore) -> None:
    store.write({KEY: Write("put", LARGE)})
    store.commit(setting("1", b"1"))

    with pytest.raises(StateUnavailable, match="'k' was too large to be kept"):
        store.as_of(SOURCE, "1").read(KEY)


def test_a_time_whose_changes_are_forgotten_is_not_made_up(history: SqliteStore, clock: Clock) -> None:
    clock.now += 30 * 3600
    history.commit(setting("4", b"4"))
    history.log.record(happened("old"), "unmatched")
    history.prune(3600)

    assert history.as_of(SOURCE, "4").read(KEY) == Value(None)
    with pytest.raises(StateUnavailable, match="not in the log"):
        history.as_of(SOURCE, "1")


def test_an_event_that_was_kept_longer_than_its_changes_has_no_state(store: SqliteStore, clock: Clock) -> None:
    (effect,) = store.commit(setting("1", b"1", effects=[TEXT])).effects
    store.commit(setting("2", b"2"))
    clock.now += 30 * 3600
    store.commit(setting("3", b"3"))
    store.prune(3600)

    assert store.as_of(SOURCE, "3").read(KEY).json == b"2"
    assert store.pending() == [effect]
    with pytest.raises(StateUnavailable, match="not kept any more"):
        store.as_of(SOURCE, "1")


def test_another_process_sees_the_state_as_it_is_and_was(history: SqliteStore, path: Path, clock: Clock) -> None:
    history.commit(setting("4", b"4"))

    with reading(path, clock) as other:
        assert other.read(KEY).json == b"4"
        assert other.as_of(SOURCE, "2").read(KEY).json == b"1"
        assert other.outcome(setting("4", b"").work) is not None


def logged(store: SqliteStore, number: int = 0) -> list[dict[str, Any]]:
    (handled,) = store.log.events()[number]["handlers"]
    return list(handled["changes"])
