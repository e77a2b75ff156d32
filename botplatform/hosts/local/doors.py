"""The doors: how bytes from outside become deliveries, and deliveries become an answer. No HTTP in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from botplatform.errors import Overloaded, Rejected
from botplatform.event import Event
from botplatform.hosts.local.delivery import Delivery
from botplatform.hosts.local.dispatch import Dispatcher
from botplatform.hosts.patience import wait
from botplatform.hosts.records import Receipt, must_be_signed, recognized_and_read
from botplatform.reply import Reply
from botplatform.source import Post, Raw, Source

A = TypeVar("A")
Verify = Callable[[Mapping[str, str], bytes, datetime], None]

# How long a sender that wants no reply waits for its acknowledgement; Slack's Events API allows 3 seconds.
ACKNOWLEDGE_WITHIN = 2.5


class Visit(Generic[A]):
    """Somebody brought something that is under way now, and waits for an answer, for `within` seconds at most.

    `answer()` says what came of it. Where that is not settled yet, it makes durable what they brought, which may take
    the disk's time. `meanwhile()` is what to tell them when it takes a while, if they can be told.
    """

    __slots__ = ("answer", "meanwhile", "within")

    def __init__(
        self, within: float, answer: Callable[[], A], meanwhile: Callable[[], Post | None] = lambda: None
    ) -> None:
        self.within = within
        self.answer = answer
        self.meanwhile = meanwhile


class Doors:
    """Lets in what is verified; `slack` and `alexa` check a request's signature and raise Unauthorized.

    Each door has two forms: one that waits for the answer, and one that begins a visit and has `on_settled` called,
    once and from any thread, when all that it brought is durable.
    """

    def __init__(self, dispatcher: Dispatcher, slack: Verify, alexa: Verify) -> None:
        self._dispatcher = dispatcher
        self._verify = {"slack": slack, "alexa": alexa}

    @property
    def damage(self) -> str:
        """Why nothing is taken in until the next start, empty as long as all is well."""
        return self._dispatcher.store.damage

    def ask(self, name: str, raw: Raw) -> Mapping[str, Any]:
        """Answer a signed request to the source `name`; raises Rejected for one that is not genuine or not readable."""
        settled = threading.Event()
        visit = self.begin_ask(name, raw, settled.set)
        wait(settled, time.monotonic() + visit.within, visit.meanwhile)
        return visit.answer()

    def begin_ask(self, name: str, raw: Raw, on_settled: Callable[[], None]) -> Visit[Mapping[str, Any]]:
        """As `ask`, without waiting."""
        source = self._dispatcher.engine.sources[name]
        self._check(name, raw)
        event = self._only(source, raw)
        if source.handshake(event):
            on_settled()
            return Visit(0.0, lambda: source.render(event, None))
        delivery = self._dispatcher.submit(event, on_settled)
        within = source.reply_within(event)
        return Visit(
            within or ACKNOWLEDGE_WITHIN,
            lambda: source.render(event, self._reply(delivery, source.late if within else None)),
            lambda: source.meanwhile(event),
        )

    def post(self, raw: Raw, within: float = ACKNOWLEDGE_WITHIN) -> Receipt:
        """Take in records of any source that does not sign; raises Rejected when none of them is an event.

        Raises Overloaded when there is no room for all of them, within so many seconds. Some may have been taken in
        then; they are known when all come once more.
        """
        settled = threading.Event()
        visit = self.begin_post(raw, settled.set, within)
        settled.wait(visit.within)
        return visit.answer()

    def begin_post(
        self, raw: Raw, on_settled: Callable[[], None], within: float = ACKNOWLEDGE_WITHIN
    ) -> Visit[Receipt]:
        """As `post`, without waiting but where there is no room; to be called where one may."""
        receipt, deliveries, end = Receipt(), list[Delivery](), time.monotonic() + within
        open_ = _Open(on_settled)
        source, read = self._recognized(raw)
        for event in source.normalize(read):
            refused = event if isinstance(event, Rejected) else self._refused(event)
            if refused:
                self._reject(source.name, refused)
                receipt.rejected.append(refused)
            elif isinstance(event, Event):
                open_.add()
                deliveries.append(self._submit(event, open_.settled, deliveries, end))
        open_.settled()
        return Visit(max(0.0, end - time.monotonic()), lambda: self._receipt(receipt, deliveries))

    def _check(self, name: str, raw: Raw) -> None:
        try:
            self._verify[name](raw.headers, raw.body, datetime.fromtimestamp(self._dispatcher.engine.clock(), UTC))
        except Rejected:
            self._dispatcher.count(f"unverified requests to {name}")
            raise

    def _reply(self, delivery: Delivery, late: Reply | None) -> Reply | None:
        self._make_durable([delivery])
        return delivery.reply or (late if delivery.unfinished else None)

    def _receipt(self, receipt: Receipt, deliveries: list[Delivery]) -> Receipt:
        self._make_durable(deliveries)
        receipt.accepted = len(deliveries)
        if not deliveries and len(receipt.rejected) == 1:
            raise receipt.rejected[0]
        return receipt

    def _make_durable(self, deliveries: list[Delivery]) -> None:
        """Do for what is not committed by now that it need not come again: put it into the inbox."""
        if open_ := [delivery for delivery in deliveries if not delivery.durable]:
            self._dispatcher.answer_now(*open_)

    def _submit(self, event: Event, on_settled: Callable[[], None], before: list[Delivery], end: float) -> Delivery:
        """Where those `before` it in the same request left no room, wait for them: there may be more than the limit."""
        try:
            return self._dispatcher.submit(event, on_settled)
        except Overloaded:
            if not before:
                raise
        for delivery in before:
            delivery.settled.wait(max(0.0, end - time.monotonic()))
        self._make_durable(before)
        return self._dispatcher.submit(event, on_settled)

    def _reject(self, source: str, rejected: Rejected) -> None:
        """Count and log a record that is no event."""
        self._dispatcher.count(f"rejected from {source}")
        self._dispatcher.store.log.reject(source, str(rejected))

    def _recognized(self, raw: Raw) -> tuple[Source, Raw]:
        try:
            return recognized_and_read(self._dispatcher.engine.sources, raw)
        except Rejected as unknown:
            self._reject("an unknown source", unknown)
            raise

    def _only(self, source: Source, raw: Raw) -> Event:
        event = next(source.normalize(raw))
        if isinstance(event, Rejected):
            self._reject(source.name, event)
            raise event
        return event

    def _refused(self, event: Event) -> Rejected | None:
        return must_be_signed(event, self._dispatcher.engine.source_of(event))


class _Open:
    """Counts what is not settled yet, and the visit itself until it is all handed in."""

    def __init__(self, on_settled: Callable[[], None]) -> None:
        self._on_settled = on_settled
        self._lock = threading.Lock()
        self._count = 1

    def add(self) -> None:
        with self._lock:
            self._count += 1

    def settled(self) -> None:
        with self._lock:
            self._count -= 1
            left = self._count
        if not left:
            self._on_settled()
