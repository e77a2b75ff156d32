"""The doors: how bytes from outside become deliveries, and deliveries become an answer. No HTTP in here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.hosts.local.dispatch import Dispatcher
from botplatform.hosts.local.task import Delivery
from botplatform.hosts.records import Receipt, must_be_signed, recognized
from botplatform.reply import Reply
from botplatform.source import Raw, Source

Verify = Callable[[Mapping[str, str], bytes, datetime], None]

# How long a sender that wants no reply waits for its acknowledgement; Slack's Events API allows 3 seconds.
ACKNOWLEDGE_WITHIN = 2.5
LATE = Reply("Still working on it …")


class Doors:
    """Lets in what is verified; `slack` and `alexa` check a request's signature and raise Unauthorized."""

    def __init__(self, dispatcher: Dispatcher, slack: Verify, alexa: Verify) -> None:
        self._dispatcher = dispatcher
        self._verify = {"slack": slack, "alexa": alexa}

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
        self._wait([delivery], source.reply_within(event) or ACKNOWLEDGE_WITHIN)
        late = delivery.unfinished and source.reply_within(event) is not None
        return source.render(event, delivery.reply or (LATE if late else None))

    def post(self, raw: Raw, within: float = ACKNOWLEDGE_WITHIN) -> Receipt:
        """Take in records of any source that does not sign; raises Rejected when none of them is an event."""
        receipt, deliveries = Receipt(), []
        source = self._source_of(raw)
        for event in source.normalize(raw):
            refused = event if isinstance(event, Rejected) else self._refused(event)
            if refused:
                self._reject(source.name, refused)
                receipt.rejected.append(refused)
            elif isinstance(event, Event):
                deliveries.append(self._dispatcher.submit(event))
        self._wait(deliveries, within)
        receipt.accepted = len(deliveries)
        if not deliveries and len(receipt.rejected) == 1:
            raise receipt.rejected[0]
        return receipt

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

    def _wait(self, deliveries: list[Delivery], within: float) -> None:
        """Return once all is durable: committed by then, or in the inbox."""
        end = time.monotonic() + within
        for delivery in deliveries:
            if not delivery.settled.wait(max(0.0, end - time.monotonic())):
                self._dispatcher.answer_now(delivery)
