"""The one writer: everybody's changes go through it, and those that wait together are committed together."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from botplatform.errors import StateUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]

# More in one transaction gains nothing measurable and makes the first of them wait longer.
BATCH = 500


class Writer:
    """Applies changes in the order they come, grouped: one fsync serves all that queued up during the last."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._queue: queue.SimpleQueue[tuple[Change[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._connect = connect
        self._closed = False
        self.damage = ""
        self._thread = threading.Thread(target=self._loop, name="sqlite-writer", daemon=True)
        self._thread.start()

    def apply(self, change: Change[T]) -> T:
        """Run `change` inside a transaction and return what it returned, once that is on disk.

        What it raises is raised here, and undone. Raises StateUnavailable when it cannot be stored.
        """
        return self.submit(change).result()

    def submit(self, change: Change[T]) -> Future[T]:
        """Like `apply`, without waiting."""
        future: Future[T] = Future()
        if self._closed or self.damage:
            future.set_exception(StateUnavailable(self.damage or "the state is closed"))
        else:
            self._queue.put((change, future))
        return future

    def notice(self, error: sqlite3.Error) -> None:
        """Take nothing more once SQLite finds the file damaged: what is written there may be lost, or damage more."""
        if is_damage(error) and not self.damage:
            self.damage = str(unavailable(error))
            logger.error("%s", self.damage)

    def close(self) -> None:
        """Finish what is queued, then stop."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        connection = self._connect()
        going_on = True
        while going_on:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            going_on = None not in batch
            self._commit(connection, [item for item in batch if item is not None])
        connection.close()

    def _commit(self, connection: sqlite3.Connection, batch: list[tuple[Change[Any], Future[Any]]]) -> None:
        """Apply a batch in one transaction; only then do those who wait learn of it."""
        if self.damage:
            _fail(batch, StateUnavailable(self.damage))
            return
        done: list[Callable[[], None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for change, future in batch:
                done.append(_apply(connection, change, future))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(connection)
            self.notice(error)
            _fail(batch, unavailable(error))
            return
        for tell in done:
            tell()


class ReadOnly:
    """Stands where a writer would, for tools that only look."""

    def apply(self, _: Change[T]) -> T:
        """Raises StateUnavailable."""
        raise StateUnavailable("this state can only be read")

    def submit(self, _: Change[T]) -> Future[T]:
        """Raises StateUnavailable."""
        raise StateUnavailable("this state can only be read")


def _fail(batch: list[tuple[Change[Any], Future[Any]]], reason: StateUnavailable) -> None:
    for _, future in batch:
        future.set_exception(reason)


def _roll_back(connection: sqlite3.Connection) -> None:
    # Where even that fails, it is tried again before the next batch: the one that finds the transaction still there.
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _apply(connection: sqlite3.Connection, change: Change[Any], future: Future[Any]) -> Callable[[], None]:
    """Apply one change and return how to tell; one that fails is undone and leaves the others alone."""
    connection.execute("SAVEPOINT change")
    try:
        result = change(connection)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise
        if not connection.in_transaction:
            raise sqlite3.OperationalError(str(error)) from error  # SQLite gave up the whole transaction
        connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        ours = isinstance(error, sqlite3.IntegrityError)  # a bug
        reason = unavailable(error) if isinstance(error, sqlite3.Error) and not ours else error
        return lambda: future.set_exception(reason)
    connection.execute("RELEASE change")
    return lambda: future.set_result(result)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is no sound database."""
    # Extended codes have the plain one in their lowest byte; an error of Python's own module has none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def unavailable(error: sqlite3.Error) -> StateUnavailable:
    """What SQLite says, as a sentence that says what to do."""
    text = str(error)
    for known, advice in _ADVICE.items():
        if known in text:
            return StateUnavailable(f"the state cannot be written: {text} ({advice})")
    return StateUnavailable(f"the state cannot be used: {text}")


_DAMAGED = "it is damaged: the next start saves what can be saved, or restore a backup with `botplatform restore`"
_CHOOSE = "make the state folder writable, or choose another with BOTPLATFORM_STATE"
_ADVICE = {
    "disk is full": "make room on its disk",
    "readonly": _CHOOSE,
    "unable to open": _CHOOSE,
    "disk I/O error": "look at the disk",
    "locked": "another program holds the file",
    "malformed": _DAMAGED,
    "not a database": _DAMAGED,
}
