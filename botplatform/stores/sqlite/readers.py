"""Connections to read on: as many as are in use at a time, whatever the number of threads."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Readers:
    """Lends a connection to whoever reads, one after the other; safe to use from any thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    def query(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        """All rows at once; raises sqlite3.Error."""
        reader = self._taken()
        try:
            return reader.execute(sql, parameters).fetchall()
        finally:
            self._idle.append(reader)
            if self._closed:
                self.close()

    def close(self) -> None:
        """Close them all; those in use when they are given back."""
        self._closed = True
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _taken(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()
