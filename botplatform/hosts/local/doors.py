"""The doors: how bytes from outside become deliveries, and deliveries become an answer. No HTTP in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botplatform.errors import Overloaded, Rejected
from botplatform.event import Event
from botplatform.hosts.local.dispatch import Dispatcher
from botplatform.hosts.local.task import Delivery
from botplatform.hosts.patience import wait
from botplatform.hosts.records import Receipt, must_be_signed, recognized
from botplatform.source import Raw, Source

Verify = Callable[[Mapping[str, str], bytes, datetime], None]

# How long a sender that wants no reply waits for its acknowledgement; Slack's Events API allows 3 seconds.
ACKNOWLEDGE_WITHIN = 2.5
# How many threads may wait for handlers; the server has some more, which see to what comes meanwhile.
SEATS = 48


class Seats:
    """Where threads wait for handlers. Whoever comes when all are taken gets that of who has waited longest.

    That one goes on as if its time were up. So however many requests are slow, there is a thread for the next one.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        self._taken: dict[int, Delivery] = {}

    @contextmanager
    def waiting(self, delivery: Delivery) -> Iterator[None]:
        """Have a seat while waiting for a delivery."""
        with self._lock:
            if len(self._taken) >= self._number:
                self._taken.pop(next(iter(self._taken))).hurry()
            self._taken[id(delivery)] = delivery
        try:
            yield
        finally:
            with self._lock:
                self._taken.pop(id(delivery), None)


class Doors:
    """Lets in what is verified; `slack` and `alexa` check a request's signature and raise Unauthorized."""

    def __init__(self, dispatcher: Dispatcher, slack: Verify, alexa: Verify) -> None:
        self._dispatcher = dispatcher
        self._verify = {"slack": slack, "alexa": alexa}
        self._seats = Seats(SEATS)

    @property
    def damage(self) -> str:
        """Why nothing is taken in until the next start, empty as long as all is well."""
        return self._dispatcher.store.damage

    def ask(self, name: str, raw: Raw) -> Mapping[str, Any]:
        """Answer a signed request to the source `name`; raises Rejected for one that is not genuine or not readable."""
        dispatcher = self._dispatcher
        try:
            self._verify[name](raw.headers, raw.body, datetime.fromtimestamp(dispatcher.engine.clock(), UTC))
        except Rejected:
            dispatcher.count(f"unverified requests to {name}")
            raise
        source = dispatcher.engine.sources[name]
        event = self._only(source, raw)
        if source.handshake(event):
            return source.render(event, None)
        delivery = dispatcher.submit(event)
        deadline = time.monotonic() + (source.reply_within(event) or ACKNOWLEDGE_WITHIN)
        with self._seats.waiting(delivery):
            wait(delivery.settled, deadline, lambda: source.meanwhile(event))
        if not delivery.durable:
            dispatcher.answer_now(delivery)
        late = delivery.unfinished and source.reply_within(event) is not None
        return source.render(event, delivery.reply or (source.late if late else None))

    def post(self, raw: Raw, within: float = ACKNOWLEDGE_WITHIN) -> Receipt:
        """Take in records of any source that does not sign; raises Rejected when none of them is an event.

        Raises Overloaded when there is no room for all of them, within so many seconds. Some may have been taken in
        then; they are known when all come once more.
        """
        receipt, deliveries, end = Receipt(), list[Delivery](), time.monotonic() + within
        source = self._source_of(raw)
        for event in source.normalize(raw):
            refused = event if isinstance(event, Rejected) else self._refused(event)
            if refused:
                self._reject(source.name, refused)
                receipt.rejected.append(refused)
            elif isinstance(event, Event):
                deliveries.append(self._submit(event, deliveries, end))
        self._wait(deliveries, end)
        receipt.accepted = len(deliveries)
        if not deliveries and len(receipt.rejected) == 1:
            raise receipt.rejected[0]
        return receipt

    def _submit(self, event: Event, before: list[Delivery], end: float) -> Delivery:
        """Where those `before` it in the same request left no room, wait for them: there may be more than the limit."""
        try:
            return self._dispatcher.submit(event)
        except Overloaded:
            if not before:
                raise
        self._wait(before, end)
        return self._dispatcher.submit(event)

    def _reject(self, source: str, rejected: Rejected) -> None:
        """Count and log a record that is no event."""
        self._dispatcher.count(f"rejected from {source}")
        self._dispatcher.store.log.reject(source, str(rejected))

    def _source_of(self, raw: Raw) -> Source:
        try:
            return recognized(self._dispatcher.engine.sources, raw)
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

    def _wait(self, deliveries: list[Delivery], end: float) -> None:
        """Return once all is durable: committed by then, or in the inbox."""
        for delivery in deliveries:
            if not delivery.durable:
                with self._seats.waiting(delivery):
                    delivery.settled.wait(max(0.0, end - time.monotonic()))
            if not delivery.durable:
                self._dispatcher.answer_now(*(open_ for open_ in deliveries if not open_.durable))
