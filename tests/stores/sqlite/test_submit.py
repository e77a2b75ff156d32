"""Many commits in one call: the same as one by one, but in one transaction, and nobody waits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from botplatform.errors import StateUnavailable
from botplatform.source import EffectRequest
from botplatform.store import Commit, Committed, Outcome, Run, StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import happened, replaced
from tests.stores.sqlite.work import KEY, commit, setting, waiting

ADD_ONE = Write("add", b"1")
TEXT = EffectRequest("text", {"to": "owner", "body": "hi"}, "owner")
OTHER = StateKey("demo", "other")


def adding(id: str, **asked: Any) -> Commit:
    """A commit that adds to the one value."""
    return commit(happened(id), writes={KEY: ADD_ONE}, **asked)


def submitted(store: SqliteStore, commits: Sequence[Commit]) -> list[Committed | Exception]:
    """What a call was told, once it was told."""
    results: list[Committed | Exception] = []
    told = threading.Event()

    def tell(outcomes: Sequence[Committed | Exception]) -> None:
        results.extend(outcomes)
        told.set()

    store.submit(commits, tell)
    assert told.wait(10)
    return results


def kinds(results: Sequence[Committed | Exception]) -> list[str]:
    """Of each result, whether the commit happened, was a duplicate, or how it failed."""
    return [_kind(result) for result in results]


def _kind(result: Committed | Exception) -> str:
    if isinstance(result, Exception):
        return type(result).__name__
    return "duplicate" if result.outcome.duplicate else "done"


def test_each_commit_of_a_call_happens_as_it_would_alone(store: SqliteStore) -> None:
    results = submitted(store, [adding("1"), setting("2", b"5"), adding("3", effects=[TEXT])])

    assert kinds(results) == ["done"] * 3
    assert store.read(KEY).json == b"6"
    assert [effect.request for effect in store.pending()] == [TEXT]
    assert [change["after"] for id in "123" for change in changes_of(store, id)] == [1, 5, 6]


@pytest.mark.parametrize(
    ("puts", "left"),
    [
        ([Write("put", b"1"), Write("put", b"2"), Write("put", b"2")], b"2"),
        ([Write("put", b"1"), Write("delete"), Write("put", b"1")], b"1"),
        ([Write("put", b"1"), Write("put", b"1", expires=1.0)], None),
    ],
)
def test_of_what_a_host_keeps_with_the_commits_of_a_call_the_last_stays(
    store: SqliteStore, puts: Sequence[Write], left: bytes | None
) -> None:
    own = StateKey("@host", "k")
    submitted(store, [commit(happened(str(number)), writes={own: write}) for number, write in enumerate(puts)])

    assert store.read(own).json == left


def test_one_that_fails_leaves_the_others_of_its_call_alone(store: SqliteStore) -> None:
    gone = adding("abandoned", run=Run(abandoned=True))
    results = submitted(store, [setting("1", b'"text"'), adding("2"), gone, setting("3", b"7"), adding("4")])

    assert kinds(results) == ["done", "TypeError", "Abandoned", "done", "done"]
    assert store.read(KEY).json == b"8"
    assert store.outcome(gone.work) is None


def test_one_that_read_what_an_earlier_one_changes_conflicts(store: SqliteStore) -> None:
    store.commit(setting("0", b"1"))
    seen = store.read(KEY).version

    assert kinds(submitted(store, [adding("1"), adding("2", reads={KEY: seen})])) == ["done", "Conflict"]
    assert store.read(KEY).json == b"2"


def test_the_same_work_twice_in_a_call_is_done_once(store: SqliteStore) -> None:
    assert kinds(submitted(store, [adding("1"), adding("1"), adding("2")])) == ["done", "duplicate", "done"]
    assert store.read(KEY).json == b"2"


def test_a_chained_one_builds_on_what_the_earlier_ones_of_its_call_wrote(store: SqliteStore) -> None:
    store.commit(setting("0", b"1"))
    seen = {KEY: store.read(KEY).version, OTHER: 0}

    calls = [adding("1", reads=seen), adding("2", reads=seen, chained=True), adding("3", reads=seen, chained=True)]
    assert kinds(submitted(store, calls)) == ["done"] * 3
    assert store.read(KEY).json == b"4"


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (adding("1", run=Run(abandoned=True)), "Abandoned"),
        (adding("1", reads={KEY: 1}), "Conflict"),
        (adding("0"), "duplicate"),
    ],
)
def test_a_chained_one_conflicts_where_an_earlier_one_of_its_call_changed_nothing(
    store: SqliteStore, first: Commit, kind: str
) -> None:
    store.commit(commit(happened("0")))
    calls = [first, adding("2", chained=True), setting("3", b"3")]

    assert kinds(submitted(store, calls)) == [kind, "Conflict", "done"]


@pytest.mark.parametrize("first", [adding("1"), adding("1", reads={KEY: 1})], ids=["done", "refused"])
def test_what_a_host_remembers_with_several_is_written_with_the_first_that_is_done(
    store: SqliteStore, first: Commit
) -> None:
    position = StateKey("@demo", "position")
    also = {position: Write("put", b"7")}

    submitted(store, [replaced(first, also=also), adding("2", also=also), adding("3", also=also)])
    before = store.read(position).version
    submitted(store, [adding("4", also=also)])
    assert (store.read(position).json, before < store.read(position).version) == (b"7", True)


def test_a_chained_one_conflicts_where_another_call_changed_what_it_read(store: SqliteStore) -> None:
    store.commit(setting("0", b"1"))
    seen = {KEY: store.read(KEY).version}
    store.commit(setting("meanwhile", b"2"))

    calls = [adding("1"), setting("2", b"0", reads=seen, chained=True)]
    assert kinds(submitted(store, calls)) == ["done", "Conflict"]
    assert store.read(KEY).json == b"3"


def test_work_leaves_the_inbox_with_its_commit(store: SqliteStore) -> None:
    store.inbox.keep([waiting(happened("1")), waiting(happened("2"))])
    submitted(store, [adding("1"), adding("3")])

    assert store.inbox.waiting() == [waiting(happened("2"))]


def test_a_call_that_comes_again_is_told_what_came_of_the_first(store: SqliteStore) -> None:
    calls = [commit(happened("1"), outcome=Outcome(reply={"text": "hi"}), effects=[TEXT]), adding("2")]
    (first, _), (again, _) = submitted(store, calls), submitted(store, calls)

    assert isinstance(first, Committed)
    assert isinstance(again, Committed)
    assert again.outcome == Outcome(reply={"text": "hi"}, duplicate=True)
    assert again.effects == first.effects


def test_a_call_on_a_closed_store_is_told_so(store: SqliteStore) -> None:
    store.close()

    assert [type(result) for result in submitted(store, [adding("1"), adding("2")])] == [StateUnavailable] * 2


def test_a_call_with_nothing_is_told_nothing(store: SqliteStore) -> None:
    assert submitted(store, []) == []


def test_a_call_that_fails_with_the_whole_transaction_is_told_for_each(store: SqliteStore) -> None:
    store._writer.apply(lambda connection: connection.execute("DROP TABLE outcomes").rowcount)

    assert [type(result) for result in submitted(store, [adding("1"), adding("2")])] == [StateUnavailable] * 2


def test_one_that_only_sqlite_refuses_leaves_the_others_of_its_call_alone(store: SqliteStore) -> None:
    refused = adding("2", outcome=Outcome(attempts=2**64))
    results = submitted(store, [adding("1"), refused, adding("3"), adding("4", chained=True)])

    assert kinds(results) == ["done", "OverflowError", "done", "Conflict"]
    assert store.read(KEY).json == b"2"
    assert [entry["id"] for entry in store.log.events()] == ["1", "3"]


def test_what_was_written_before_sqlite_refuses_one_is_undone(store: SqliteStore) -> None:
    refused = commit(happened("2"), writes={KEY: Write("put", b"1", expires=2**64)})

    assert kinds(submitted(store, [adding("1"), refused, adding("3")])) == ["done", "OverflowError", "done"]
    assert store.read(KEY).json == b"2"


@pytest.mark.parametrize("count", [100, 300])
def test_a_large_call_happens_as_its_commits_would_alone(store: SqliteStore, count: int) -> None:
    again = adding("0")
    store.commit(again)
    results = submitted(store, [*(adding(str(n)) for n in range(1, count)), again])

    assert kinds(results) == ["done"] * (count - 1) + ["duplicate"]
    assert store.read(KEY).json == str(count).encode()
    assert [change["after"] for change in changes_of(store, "50")] == [51]
    assert store.log.count() == count


def test_work_that_was_given_up_after_it_was_done_is_done(store: SqliteStore) -> None:
    store.commit(adding("1"))

    again = [adding("1", run=Run(abandoned=True)), adding("1", reads={KEY: 7}), setting("2", b"7")]
    assert kinds(submitted(store, again)) == ["duplicate", "duplicate", "done"]


def test_what_is_submitted_keeps_its_place_among_other_changes(store: SqliteStore) -> None:
    store.write({KEY: Write("put", b"1")}, wait=False)
    store.submit([adding("1")], lambda _: None)
    store.write({KEY: Write("put", b"7")}, wait=False)
    submitted(store, [adding("2")])

    assert store.read(KEY).json == b"8"
    assert [change["before"] for change in changes_of(store, "2")] == [7]


def test_an_event_that_several_handlers_handle_is_logged_once(store: SqliteStore) -> None:
    first = adding("1")
    second = replaced(first, work=first.work._replace(handler="demo.second"))

    assert kinds(submitted(store, [first, second])) == ["done", "done"]
    assert [len(entry["handlers"]) for entry in store.log.events()] == [2]


@pytest.mark.parametrize("others", [0, 20])
def test_an_event_that_another_call_logged_has_one_entry_with_all_its_handlers(store: SqliteStore, others: int) -> None:
    first, other = adding("1"), [adding(f"other {n}") for n in range(others)]
    second = replaced(first, work=first.work._replace(handler="demo.second"))

    assert kinds(submitted(store, [first, adding("2")])) == ["done"] * 2
    assert kinds(submitted(store, [*other, second, first])) == ["done"] * (others + 1) + ["duplicate"]
    store._recent.forget()
    assert store.outcomes([first.work, second.work]).keys() == {first.work, second.work}
    assert [len(entry["handlers"]) for entry in store.log.events()] == [2, 1, *[1] * others]


def test_the_outcomes_of_many_are_found_in_memory_and_in_the_file(store: SqliteStore) -> None:
    done = [adding(str(n), outcome=Outcome(reply={"number": n})) for n in range(4)]
    submitted(store, done[:2])
    store._recent.forget()
    submitted(store, done[2:])
    works = [unit.work for unit in (*done, adding("new"))]

    expected = {work: store.outcome(work) for work in works[:4]}
    store._recent.forget()
    submitted(store, done[3:])
    assert store.outcomes(works) == expected
    assert store.outcomes([]) == {}


def test_outcomes_are_those_of_their_source_and_handler(store: SqliteStore) -> None:
    event = happened("1")
    done = [
        Commit(Work(source, "1", handler), event.replace(source=source), Outcome())
        for source, handler in (("/a", "demo.handle"), ("/a", "demo.other"), ("/b", "demo.handle"))
    ]
    submitted(store, done)
    store._recent.forget()
    works = [Work(source, "1", handler) for source in ("/a", "/b", "/c") for handler in ("demo.handle", "demo.other")]

    assert {*store.outcomes(works)} == {unit.work for unit in done}


def test_while_somebody_writes_what_is_done_is_read_all_the_same(store: SqliteStore) -> None:
    submitted(store, [adding("1")])
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: sqlite3.Connection) -> bool:
        begun.set()
        return go_on.wait(20)

    writing = store._writer.submit(slow)
    assert begun.wait(20)
    assert store.read(KEY).json == b"1"
    go_on.set()
    assert writing.result(20), "the look at it waited for the writer"
    assert store.read(KEY).json == b"1"


def test_what_could_not_be_undone_yet_is_not_read(store: SqliteStore) -> None:
    submitted(store, [adding("1")])
    connection = store._writer._connection
    connection.execute("BEGIN")
    connection.execute("UPDATE state SET value = '99'")
    assert store.read(KEY).json == b"1"

    connection.execute("ROLLBACK")
    assert store.read(KEY).json == b"1"


def test_effects_of_a_call_are_numbered_in_the_order_of_its_commits(store: SqliteStore) -> None:
    results = submitted(store, [adding(str(n), effects=[TEXT, TEXT]) for n in range(3)])

    told = [effect for result in results if isinstance(result, Committed) for effect in result.effects]
    assert told == store.pending()
    assert [effect.work.id for effect in told] == ["0", "0", "1", "1", "2", "2"]


def test_who_is_told_and_raises_harms_nobody(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    def raising(_: object) -> None:
        raise LookupError("a bug")

    store.submit([adding("1")], raising)
    store.commit(adding("2"))

    assert store.read(KEY).json == b"2"
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def changes_of(store: SqliteStore, id: str) -> list[dict[str, Any]]:
    """What an event changed, as the log has it."""
    (entry,) = [entry for entry in store.log.events() if entry["id"] == id]
    return [change for handler in entry["handlers"] for change in handler["changes"]]
