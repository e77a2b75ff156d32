"""One arrival of an event, and what its handlers made of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from botplatform import codec
from botplatform.event import Event
from botplatform.reply import Reply
from botplatform.source import Source
from botplatform.store import Commit, Outcome
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from botplatform.hosts.local.task import Task


class Result(NamedTuple):
    """What came of an event in one handler: committed (`again`: by an earlier delivery), waiting, or given up."""

    handler: str
    status: str
    reply: Reply | None = None
    reason: str = ""
    again: bool = False


class Delivery:
    """One arrival of an event; `durable` says that it need not come again, `again` that it was done before.

    `on_settled` is called, on any thread, when that is so: it is quick and raises nothing.
    """

    __slots__ = ("_settled", "again", "durable", "event", "on_settled", "open", "results", "source", "tasks")

    def __init__(self, event: Event, source: Source, on_settled: Callable[[], None] | None = None) -> None:
        self.event = event
        self.source = source
        self.on_settled = on_settled
        self.open = 0
        self.again = False
        self.results: list[Result] = []
        self.tasks: list[Task] = []
        self.durable = False
        self._settled: list[threading.Event] = []

    @property
    def settled(self) -> threading.Event:
        """Is set once it is durable."""
        # Made when somebody asks for it: it costs more than all the rest, and most deliveries have nobody who waits.
        if not self._settled:
            self._settled.append(threading.Event())
        if self.durable:
            self._settled[0].set()
        return self._settled[0]

    @property
    def reply(self) -> Reply | None:
        """The first reply any handler gave."""
        return next((result.reply for result in self.results if result.reply), None)

    @property
    def unfinished(self) -> bool:
        """Whether some handler is still to answer."""
        return not self.durable or any(result.status == "waiting" for result in self.results)

    @property
    def wants_no_reply(self) -> bool:
        """Whether its sender only wants to be told that it is durable."""
        return self.on_settled is not None and self.source.reply_within(self.event) is None

    def settle(self) -> None:
        """Say that the event is durable."""
        self.durable = True
        if self._settled:
            self.settled.set()
        if self.on_settled:
            self.on_settled()


@cache
def done(handler: str) -> Result:
    """What came of an event that a handler did not answer: the same for all of them."""
    return Result(handler, "done")


def reply_of(outcome: Outcome | None) -> Reply | None:
    """The reply in an outcome, if there is one."""
    return Reply.from_dict(outcome.reply) if outcome and outcome.reply is not None else None


def holds_anyway(commit: Commit) -> bool:
    """Whether what a run answers holds whatever becomes of its commit.

    So it does where the run changed nothing, and looked at no more than one value: of two, one may have been changed
    in between.
    """
    outcome = commit.outcome
    changed = commit.writes or commit.also or commit.effects or outcome.suppressed or outcome.duplicate
    return not changed and not commit.chained and len(commit.reads) < 2 and _is_json(outcome.reply)


def _is_json(reply: object) -> bool:
    try:
        codec.encode(reply)
    except (TypeError, ValueError):
        return False
    return True
