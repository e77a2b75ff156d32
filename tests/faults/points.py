"""Named points of the pipeline at which a platform can be made to die, without the platform knowing of them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

from botplatform.effect import Effect
from botplatform.hosts.local import performer
from botplatform.hosts.local.platform import Platform
from botplatform.store import PendingEffect

F = TypeVar("F", bound=Callable[..., Any])

ACCEPT = "on accept, before anything is kept"
INBOX = "after the inbox commit"
BEFORE_HANDLER = "before the handler"
AFTER_HANDLER = "after the handler, before its commit"
BEFORE_BEGIN = "in the writer, before BEGIN"
BEFORE_COMMIT = "in the writer, before COMMIT"
AFTER_COMMIT = "in the writer, after COMMIT"
BEFORE_ANSWER = "after the commit, before the sender is told"
BEFORE_EFFECT = "after the commit, before its effects"
BEFORE_MARK = "between an effect and its mark"
AFTER_MARK = "after the mark of an effect"
POINTS = (
    ACCEPT,
    INBOX,
    BEFORE_HANDLER,
    AFTER_HANDLER,
    BEFORE_BEGIN,
    BEFORE_COMMIT,
    AFTER_COMMIT,
    BEFORE_ANSWER,
    BEFORE_EFFECT,
    BEFORE_MARK,
    AFTER_MARK,
)


class Trap:
    """Ends the process at the `passing`-th passing of one point; `end` may do it in another way than SIGKILL."""

    def __init__(self, point: str, passing: int, end: Callable[[], None] | None = None) -> None:
        self._point = point
        self._left = passing
        self._end = end or partial(os.kill, os.getpid(), signal.SIGKILL)
        self._lock = threading.Lock()

    def passes(self, point: str) -> None:
        """Note that some thread is at a point."""
        if point and point == self._point:
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    self._end()

    def before(self, point: str, act: F) -> F:
        """`act`, with a point in front of it."""
        return self.around(point, act, "")

    def after(self, point: str, act: F) -> F:
        """`act`, with a point behind it."""
        return self.around("", act, point)

    def around(self, front: str, act: F, behind: str) -> F:
        """`act` between two points."""

        @wraps(act)
        def passing(*arguments: Any, **named: Any) -> Any:
            self.passes(front)
            result = act(*arguments, **named)
            self.passes(behind)
            return result

        return passing  # type: ignore[return-value]


def arm_connections(trap: Trap, careless: bool = False) -> None:
    """Put the points of the writer around the transactions of all connections to be made.

    With `careless`, SQLite is not to wait for the disk at each commit.
    """
    instead = {"PRAGMA synchronous = FULL": "PRAGMA synchronous = NORMAL"} if careless else {}

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql.startswith("BEGIN"):
                trap.passes(BEFORE_BEGIN)
            if sql != "COMMIT":
                return super().execute(instead.get(sql, sql), *parameters)
            return trap.around(BEFORE_COMMIT, super().execute, AFTER_COMMIT)(sql)

    sqlite3.connect = partial(sqlite3.connect, factory=Connection)  # type: ignore[assignment]


def arm(platform: Platform, trap: Trap) -> None:
    """Put the other points around the parts of a platform that is not started yet."""
    dispatcher, store = platform.dispatcher, platform.store
    dispatcher.submit = trap.before(ACCEPT, dispatcher.submit)
    dispatcher.submit_all = trap.before(ACCEPT, dispatcher.submit_all)
    dispatcher.underway.tell = trap.before(BEFORE_ANSWER, dispatcher.underway.tell)
    dispatcher.engine._run_handler = trap.around(BEFORE_HANDLER, dispatcher.engine._run_handler, AFTER_HANDLER)
    store.inbox.keep = trap.after(INBOX, store.inbox.keep)
    dispatcher.performer.perform = _before_some(trap, dispatcher.performer.perform)
    store.performed = trap.around(BEFORE_MARK, store.performed, AFTER_MARK)


def _before_some(trap: Trap, perform: Callable[[list[PendingEffect]], None]) -> Callable[[list[PendingEffect]], None]:
    """`perform`, with a point in front of it where there is anything to perform."""

    def passing(pending: list[PendingEffect]) -> None:
        if pending:
            trap.passes(BEFORE_EFFECT)
        perform(pending)

    return passing


def note_effects(platform: Platform, ledger: Path) -> None:
    """Have it written down when the outside is asked for an effect, and when the store knows that it was performed.

    The lines, a JSON list each, outlive the process, though not the machine: see `in_doubt`.
    """
    handle = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    asked, marked = performer.perform, platform.store.performed

    def note(what: str, content: str) -> None:
        os.write(handle, json.dumps([what, content]).encode() + b"\n")

    def perform(effects: Mapping[str, Effect], pending: PendingEffect) -> Mapping[str, Any]:
        note("asked", shown(pending.request.arguments))
        return asked(effects, pending)

    def performed(pending: PendingEffect, result: Mapping[str, Any]) -> None:
        marked(pending, result)
        note("marked", shown(pending.request.arguments))

    performer.perform, platform.store.performed = perform, performed  # type: ignore[method-assign]
    note("born", "")


def in_doubt(ledger: Path) -> Counter[str]:
    """How often each effect was asked for, and not yet marked, by a life that ended: it may be doubled as often."""
    doubts: Counter[str] = Counter()
    unmarked: set[str] = set()
    for line in ledger.read_text().splitlines():
        what, content = json.loads(line)
        if what == "born":
            doubts.update(unmarked)
            unmarked.clear()
        elif what == "asked":
            unmarked.add(content)
        else:
            unmarked.discard(content)
    return doubts


def shown(arguments: Mapping[str, Any]) -> str:
    """What the outside sees of an effect: the words of a text or message, the payload of a publish."""
    return str(arguments.get("body") or arguments.get("text") or arguments.get("payload") or "")
