"""The one writer: everybody's changes go through it, and those that wait together are committed together."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

from botplatform.errors import StateUnavailable
from botplatform.stores.sqlite.advice import is_damage, unavailable
from botplatform.stores.sqlite.savepoints import Apply, Change, one_by_one, outcome_of, with_rows

logger = logging.getLogger(__name__)

T = TypeVar("T")

# More in one transaction gains nothing measurable and makes the first of them wait longer.
BATCH = 500


def ignore(_: Any) -> None:
    """Hear what came of a change, and do nothing about it."""


class _Item(NamedTuple):
    """Something to do, what to do it with, and who is told what came of it: an exception, where nothing did.

    Neighbours with the same `apply` are done by one call of it. `size` says how much it is, as others are 1.
    """

    apply: Apply
    what: Any
    told: Callable[[Any], object]
    size: int = 1


class Writer:
    """Applies changes in the order they come, grouped: one fsync serves all that queued up during the last."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connect()
        self._queue: deque[_Item] = deque()
        self._lock = threading.Lock()  # of the queue, and of what follows
        self._news = threading.Condition(self._lock)
        self._busy = False
        self._closed = False
        self._in_use = threading.Lock()  # of the connection, by a commit or a look-up
        self.damage = ""
        self._thread = threading.Thread(target=self._loop, name="sqlite-writer", daemon=True)
        self._thread.start()

    def apply(self, change: Change[T]) -> T:
        """Run `change` inside a transaction and return what it returned, once that is on disk.

        What it raises is raised here, and undone. Raises StateUnavailable when it cannot be stored.
        """
        result: T = self.perform(one_by_one, change)
        return result

    def submit(self, change: Change[T]) -> Future[T]:
        """Like `apply`, without waiting."""
        future: Future[T] = Future()
        self.put(one_by_one, change, partial(_settle, future))
        return future

    def execute(self, sql: str, row: Sequence[Any], told: Callable[[Any], object] = ignore) -> None:
        """Execute a statement with a row of parameters, without waiting; neighbours of one statement go together.

        `told` hears of it when it is on disk, or could not be stored.
        """
        self.put(with_rows(sql), row, told)

    def perform(self, apply: Apply, what: Any) -> Any:
        """Have `apply` do `what` and return what came of it, once that is on disk; raises it if it is an exception."""
        if self._begins():
            (result,) = self._commit([_Item(apply, what, ignore)])
            return _raised(result)
        future: Future[Any] = Future()
        self.put(apply, what, partial(_settle, future))
        return future.result()

    def begin(self, apply: Apply, what: Any, told: Callable[[Any], object], size: int = 1) -> None:
        """As `put`, but on this thread where nothing else is going on: to wake another takes as long as the disk."""
        if self._begins():
            self._commit([_Item(apply, what, told, size)])
        else:
            self.put(apply, what, told, size)

    def put(self, apply: Apply, what: Any, told: Callable[[Any], object], size: int = 1) -> None:
        """Have `apply` do `what`, without waiting; `told` hears what came of it, on the writer's thread."""
        with self._lock:
            if not (self._closed or self.damage):
                self._queue.append(_Item(apply, what, told, size))
                self._news.notify()
                return
        told(self._refusal())

    def query(self, sql: str, parameters: Sequence[Any]) -> list[Any] | None:
        """All rows there are on disk, None where somebody is writing or looking; raises sqlite3.Error.

        It is to be quick, since a commit waits for it; to have something written, nobody does.
        """
        if not self._in_use.acquire(blocking=False):
            return None
        try:
            if self._closed or self._connection.in_transaction:  # one that could not be undone yet
                return None
            return self._connection.execute(sql, parameters).fetchall()
        finally:
            self._in_use.release()

    def notice(self, error: sqlite3.Error) -> None:
        """Take nothing more once SQLite finds the file damaged: what is written there may be lost, or damage more."""
        if is_damage(error) and not self.damage:
            self.damage = str(unavailable(error))
            logger.error("%s", self.damage)

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._lock:
            self._closed = True
            self._news.notify()
        self._thread.join()

    def _refusal(self) -> StateUnavailable:
        return StateUnavailable(self.damage or "the state is closed")

    def _begins(self) -> bool:
        """Whether the connection is this thread's from now on: nobody has it, and nobody waits for it."""
        with self._lock:
            free = not (self._busy or self._queue or self._closed)
            self._busy = self._busy or free
            return free

    def _ends(self) -> None:
        """Give the connection back, with no transaction open."""
        _roll_back(self._connection)
        with self._lock:
            self._busy = False
            if self._queue or self._closed:  # to wake a thread for nothing takes longer than what was done
                self._news.notify()

    def _loop(self) -> None:
        while batch := self._next():
            self._commit(batch)
        with self._in_use:
            self._connection.close()

    def _next(self) -> list[_Item]:
        """What waits, as much of it as goes into one transaction; nothing once there will be no more."""
        batch: list[_Item] = []
        with self._lock:
            self._news.wait_for(lambda: not self._busy and (self._queue or self._closed))
            room = BATCH
            while self._queue and room > 0:
                batch.append(self._queue.popleft())
                room -= batch[-1].size
            self._busy = bool(batch)
        return batch

    def _commit(self, batch: Sequence[_Item]) -> Sequence[Any]:
        """Apply a batch in one transaction; only then do those who wait learn of it, and others have their turn."""
        try:
            with self._in_use:
                results = self._results(batch)
            for item, result in zip(batch, results, strict=True):
                _tell(item, result)
        finally:
            self._ends()
        return results

    def _results(self, batch: Sequence[_Item]) -> Sequence[Any]:
        if self.damage:
            return [self._refusal()] * len(batch)
        try:
            return self._transaction(batch)
        except sqlite3.Error as error:
            _roll_back(self._connection)
            self.notice(error)
            return [unavailable(error)] * len(batch)

    def _transaction(self, batch: Sequence[_Item]) -> list[Any]:
        results: list[Any] = []
        self._connection.execute("BEGIN IMMEDIATE")
        for apply, items in groupby(batch, lambda item: item.apply):
            results += apply(self._connection, [item.what for item in items], not results)
        self._connection.execute("COMMIT")
        return results


class ReadOnly:
    """Stands where a writer would, for tools that only look."""

    def execute(self, _: str, __: Sequence[Any], ___: Callable[[Any], object] = ignore) -> None:
        """Raises StateUnavailable."""
        raise StateUnavailable("this state can only be read")

    def apply(self, _: Change[T]) -> T:
        """Raises StateUnavailable."""
        raise StateUnavailable("this state can only be read")

    def submit(self, _: Change[T]) -> Future[T]:
        """Raises StateUnavailable."""
        raise StateUnavailable("this state can only be read")


def _tell(item: _Item, result: Any) -> None:
    failed = outcome_of(item.told, result)
    if isinstance(failed, Exception):
        logger.error("what came of a change could not be told", exc_info=failed)


def _settle(future: Future[Any], result: Any) -> None:
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _raised(result: Any) -> Any:
    if isinstance(result, Exception):
        raise result
    return result


def _roll_back(connection: sqlite3.Connection) -> None:
    # Where even that fails, it is tried again before the next batch: the one that finds the transaction still there.
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
