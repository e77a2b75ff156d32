"""What SQLite adds to the contract: groups, files, full disks, and the log."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from botplatform.errors import StateUnavailable
from botplatform.hosts.local.lock import FolderLock
from botplatform.source import MASK, EffectRequest, masked
from botplatform.store import Outcome, Run, Work, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.reading import reading
from botplatform.stores.sqlite.writer import Writer
from tests.disks import SmallDisk, mounted
from tests.handlers import SOURCE, happened
from tests.stores.sqlite.work import HANDLER, KEY, commit, waiting

TEXT = EffectRequest("text", {"to": "owner", "body": "hi"}, "owner")


# Groups: what waits together is committed together.


class Group:
    """A writer that is held up until everything that shall go into one transaction is queued."""

    def __init__(self, path: Path) -> None:
        self.statements: list[str] = []
        self._path = path
        self._held = threading.Event()
        self._begun = threading.Event()
        self.writer = Writer(self._connect)
        self.writer.submit(lambda c: c.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY)").rowcount)
        self.writer.submit(self._wait)
        self._begun.wait()

    def insert(self, n: Any) -> Future[int]:
        return self.writer.submit(lambda c: c.execute("INSERT INTO rows VALUES (?)", (n,)).rowcount)

    def go(self) -> list[int]:
        self.statements.clear()
        self._held.set()
        self.writer.close()
        with closing(sqlite3.connect(self._path)) as connection:
            return [n for (n,) in connection.execute("SELECT n FROM rows ORDER BY n")]

    def _wait(self, _: sqlite3.Connection) -> None:
        self._begun.set()
        self._held.wait()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.set_trace_callback(self.statements.append)
        return connection


@pytest.fixture
def group(path: Path) -> Group:
    return Group(path)


def test_what_queued_up_is_committed_at_once(group: Group) -> None:
    written = [group.insert(n) for n in range(100)]

    assert group.go() == list(range(100))
    assert [future.result() for future in written] == [1] * 100
    assert group.statements.count("BEGIN IMMEDIATE") <= 2


def test_a_change_that_fails_leaves_the_others_of_its_group_alone(group: Group) -> None:
    def half_way(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO rows VALUES (70)")
        raise LookupError("a bug")

    before, failing, twice, after = (
        group.insert(1),
        group.writer.submit(half_way),
        group.insert(1),
        group.insert(2),
    )

    assert group.go() == [1, 2]
    assert (before.result(), after.result()) == (1, 1)
    assert isinstance(failing.exception(), LookupError)
    assert isinstance(twice.exception(), sqlite3.IntegrityError)


def test_the_first_of_a_group_is_undone_like_any_other(group: Group) -> None:
    def twice(connection: sqlite3.Connection) -> None:
        connection.executemany("INSERT INTO rows VALUES (?)", [(1,), (1,)])

    failing, after = group.writer.submit(twice), group.insert(2)

    assert group.go() == [2]
    assert isinstance(failing.exception(), sqlite3.IntegrityError)
    assert after.result() == 1


def test_rows_for_one_statement_go_together_and_one_that_fails_is_alone_in_that(group: Group) -> None:
    told: list[object] = []
    for n in (1, 2, 1, 3):
        group.writer.execute("INSERT INTO rows VALUES (?)", (n,), told.append)

    assert group.go() == [1, 2, 3]
    assert [type(result) for result in told] == [type(None), type(None), sqlite3.IntegrityError, type(None)]


def test_many_rows_for_one_statement_are_told_of_one_by_one(group: Group) -> None:
    told: list[object] = []
    for n in [*range(200), 7]:
        group.writer.execute("INSERT INTO rows VALUES (?)", (n,), told.append)

    assert group.go() == [*range(200)]
    assert [number for number, result in enumerate(told) if result is not None] == [200]


def test_a_change_that_is_interrupted_is_undone_and_the_next_one_is_not(path: Path) -> None:
    store = SqliteStore(path)

    def interrupted(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM changes")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._writer.apply(interrupted)
    store.commit(commit(happened()))
    assert store._query("SELECT count(*) FROM changes", ()) == [(1,)]
    store.close()


def test_nobody_is_told_of_success_when_the_transaction_fails(group: Group) -> None:
    lost = group.insert(1)
    group.writer.submit(lambda c: c.execute("ROLLBACK").rowcount)

    assert group.go() == []
    with pytest.raises(StateUnavailable):
        lost.result()


def malformed() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def test_what_was_queued_when_damage_was_noticed_is_not_committed(group: Group) -> None:
    queued = group.insert(1)
    group.writer.notice(malformed())

    assert group.go() == []
    assert isinstance(queued.exception(), StateUnavailable)


def test_nobody_is_told_of_success_where_the_file_is_found_damaged(
    group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(_: sqlite3.Connection) -> None:
        raise malformed()

    before = group.insert(1)
    group.writer.submit(damaged)

    assert group.go() == []
    assert isinstance(before.exception(), StateUnavailable)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    with pytest.raises(StateUnavailable, match="damaged"):
        group.writer.apply(lambda _: None)


def test_a_closed_writer_takes_nothing_more(group: Group) -> None:
    group.go()

    with pytest.raises(StateUnavailable, match="closed"):
        group.writer.apply(lambda _: None)


# Files.


def test_everything_is_still_there_after_a_restart(path: Path) -> None:
    store = SqliteStore(path)
    unit = commit(happened(), outcome=Outcome(reply={"text": "hi"}), writes={KEY: Write("put", b"7")}, effects=[TEXT])
    store.commit(unit)
    store.inbox.keep([waiting(happened("2", data={"a": 1}), attempts=3, due=8.0, reason="later")])
    pending = store.pending()
    store.close()

    again = SqliteStore(path)
    assert again.outcome(unit.work) == Outcome(reply={"text": "hi"}, duplicate=True)
    assert again.read(KEY).json == b"7"
    assert again.pending() == pending
    assert again.inbox.waiting() == [waiting(happened("2", data={"a": 1}), attempts=3, due=8.0, reason="later")]
    again.close()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StateUnavailable, match=r"written by a newer botplatform \(schema 99"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look like one" * 100)

    with pytest.raises(StateUnavailable, match="not a database"):
        SqliteStore(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StateUnavailable, match=r"file/state cannot be used: Not a directory"):
        SqliteStore(tmp_path / "file" / "state" / "state.db")


def test_a_read_only_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=256k,ro") as folder:
        with pytest.raises(StateUnavailable, match="BOTPLATFORM_STATE"):
            FolderLock(folder)
        with pytest.raises(StateUnavailable, match="BOTPLATFORM_STATE"):
            SqliteStore(folder / "state.db")


def test_two_platforms_on_one_folder_are_refused(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "state")

    with pytest.raises(StateUnavailable, match=r"in use by another platform \(process \d+\): stop that one"):
        FolderLock(tmp_path / "state")
    lock.release()
    FolderLock(tmp_path / "state").release()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "disk", "size=512k") as folder:
        yield SmallDisk(folder)


def test_on_a_full_disk_nothing_is_committed_and_it_goes_on_when_there_is_room(disk: SmallDisk) -> None:
    store = SqliteStore(disk.folder / "state.db")
    store.commit(commit(happened("before"), writes={KEY: Write("put", b"1")}))
    disk.fill()

    unit = commit(happened(data="x" * 10_000), writes={KEY: Write("put", b"2")}, effects=[TEXT])
    with pytest.raises(StateUnavailable, match=r"disk is full \(make room on its disk\)"):
        store.commit(unit)
    with pytest.raises(StateUnavailable, match="disk is full"):
        store.inbox.keep([waiting(happened(data="x" * 10_000))])
    assert (store.outcome(unit.work), store.read(KEY).json, store.pending()) == (None, b"1", [])
    assert store.inbox.waiting() == []

    disk.make_room()
    store.commit(unit)
    assert store.read(KEY).json == b"2"
    store.close()


# The inbox.


def test_work_waits_in_the_inbox_until_it_is_committed(store: SqliteStore) -> None:
    run = Run()

    assert store.inbox.keep([waiting(happened(), run=run)]) == [Work(SOURCE, "1", HANDLER)]
    store.commit(commit(happened(), run=run))
    assert store.inbox.waiting() == []


def test_work_that_is_done_is_not_kept_and_its_run_is_told_nothing(store: SqliteStore) -> None:
    store.commit(commit(happened()))
    run = Run()

    assert store.inbox.keep([waiting(happened(), run=run)], answered=True, abandoned=True) == []
    assert not store.inbox.give_up(waiting(happened(), run=run))
    assert (run.answered, run.inboxed, run.abandoned) == (False, False, False)
    assert store.inbox.waiting() == store.inbox.dead_letters() == []


def test_work_that_is_given_up_is_a_dead_letter_and_its_run_is_refused(store: SqliteStore) -> None:
    run = Run()
    store.inbox.keep([waiting(happened(), run=run)])

    assert store.inbox.give_up(waiting(happened(), reason="no such room", run=run))
    assert run.abandoned
    assert store.inbox.waiting() == []
    assert store.inbox.dead_letters() == [waiting(happened(), reason="no such room")]


def test_a_dead_letter_whose_event_comes_again_and_succeeds_is_none_any_more(store: SqliteStore) -> None:
    store.inbox.give_up(waiting(happened(), reason="no such room"))

    store.commit(commit(happened(), run=Run()))
    assert store.inbox.dead_letters() == []


def test_a_dead_letter_stays_one_when_its_sender_stops_waiting(store: SqliteStore) -> None:
    store.inbox.give_up(waiting(happened(), reason="no such room"))

    store.inbox.keep([waiting(happened())], answered=True)
    assert len(store.inbox.dead_letters()) == 1
    assert store.inbox.waiting() == []


def test_work_that_is_kept_again_keeps_its_place(store: SqliteStore) -> None:
    store.inbox.keep([waiting(happened("1")), waiting(happened("2"))])
    store.inbox.keep([waiting(happened("1"), attempts=2, reason="again")])

    assert store.inbox.waiting() == [waiting(happened("1"), attempts=2, reason="again"), waiting(happened("2"))]


def test_what_a_host_remembers_of_a_delivery_is_kept_with_it(store: SqliteStore) -> None:
    store.inbox.keep([waiting(happened(), also={KEY: Write("put", b"7")})])

    assert store.read(KEY).json == b"7"


# The log.


def verdicts(store: SqliteStore) -> list[tuple[str, str, str]]:
    return [(entry["source"], entry["verdict"], entry["reason"]) for entry in store.log.events()]


def test_everything_that_arrived_is_in_the_log_with_what_became_of_it(store: SqliteStore) -> None:
    store.commit(commit(happened("1"), outcome=Outcome(reply={"text": "hi"}, attempts=2), effects=[TEXT]))
    store.log.record(happened("2"), "unmatched", "no handler listens to it")
    store.log.reject("mqtt", "not JSON")
    store.inbox.keep([waiting(happened("3"), reason="later")])
    store.inbox.give_up(waiting(happened("4"), reason="hopeless"))

    done, unmatched, rejected, later, dead = store.log.events()
    assert [h["status"] for e in (done, unmatched, rejected, later, dead) for h in e["handlers"]] == [
        "done",
        "waiting",
        "dead",
    ]
    assert done["handlers"][0]["reply"] == {"text": "hi"}
    assert done["handlers"][0]["attempts"] == 2
    assert [effect["arguments"] for effect in done["handlers"][0]["effects"]] == [TEXT.arguments]
    assert verdicts(store)[1:3] == [
        (SOURCE, "unmatched", "no handler listens to it"),
        ("mqtt", "rejected", "not JSON"),
    ]
    assert [e["handlers"][0]["reason"] for e in (later, dead)] == ["later", "hopeless"]


def test_an_event_that_is_delivered_again_is_counted_and_not_logged_twice(store: SqliteStore) -> None:
    store.commit(commit(happened()))
    store.log.delivered_again(happened())
    store.commit(commit(happened()))

    assert [entry["deliveries"] for entry in store.log.events()] == [2]


def test_an_event_nobody_listens_to_that_comes_again_is_counted_too(store: SqliteStore) -> None:
    store.log.record(happened(), "unmatched")
    store.log.record(happened(), "unmatched")
    store.write({})  # the log waits for nobody; this does

    assert [entry["deliveries"] for entry in store.log.events()] == [2]


def test_a_page_of_the_log_goes_on_where_the_last_one_ended(store: SqliteStore) -> None:
    for n in range(5):
        store.log.record(happened(str(n)), "unmatched")
    store.write({})  # the log waits for nobody; this does

    page = store.log.events(limit=2)
    assert [entry["id"] for entry in page] == ["0", "1"]
    assert [entry["id"] for entry in store.log.events(after=page[-1]["number"])] == ["2", "3", "4"]
    assert [entry["id"] for entry in store.log.events(limit=2, newest_first=True)] == ["4", "3"]


def test_secrets_are_masked_in_the_log_and_nowhere_else(path: Path) -> None:
    store = SqliteStore(path, mask=lambda event: masked(event, frozenset({"token", "urls"})))
    secret = happened(data={"token": "hunter2", "deep": [{"token": "hunter2", "kept": 1}], "urls": ["hunter2"]})
    store.commit(commit(happened("0").replace(data=secret.data), run=Run()))
    store.inbox.keep([waiting(secret)])

    for entry in store.log.events():
        whole = store.log.event(entry["number"])
        assert whole
        assert whole["envelope"]["data"] == {"token": MASK, "deep": [{"token": MASK, "kept": 1}], "urls": MASK}
    assert store.inbox.waiting()[0].event == secret
    store.close()


def test_another_process_can_read_the_log(store: SqliteStore, path: Path) -> None:
    store.commit(commit(happened()))

    with reading(path) as other:
        assert other.log.events() == store.log.events()
        with pytest.raises(StateUnavailable, match="can only be read"):
            other.log.record(happened("2"), "unmatched")
