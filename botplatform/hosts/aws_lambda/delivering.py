"""Records of senders that bring them again until they are handled: one at a time, or in batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from botplatform import codec
from botplatform.errors import BotplatformError, Rejected, Retry
from botplatform.event import Event
from botplatform.hosts.aws import AwsHost
from botplatform.hosts.aws_lambda.calls import Batch, Continuation, Notice, Record
from botplatform.hosts.aws_lambda.deadline import run_in_time
from botplatform.hosts.aws_lambda.invocation import Invocation
from botplatform.hosts.records import Piece, Receipt, events_in, opened
from botplatform.hosts.runner import Result, Runner
from botplatform.router import Match
from botplatform.store import Run


class Unfinished(BotplatformError):
    """Something has to be tried once more: Lambda is told so by an error."""

    def __init__(self, waiting: Iterable[Result], unburied: Iterable[Rejected] = ()) -> None:
        reasons = [f"{result.handler}: {result.reason}" for result in waiting]
        super().__init__("; ".join([*reasons, *(f"no dead letter could be kept of: {reason}" for reason in unburied)]))


def _nobody_waits() -> Run:
    return Run(answered=True)


class Delivering:
    """Hands what was delivered to its handlers; what is no event becomes a dead letter of `host`."""

    def __init__(self, runner: Runner, host: AwsHost) -> None:
        self._runner = runner
        self._host = host

    def take(self, notice: Notice, called_with: Any) -> dict[str, Any]:
        """Handle all that a notice carries; returns what became of it.

        Raises Unfinished or Retry when something has to be tried again, Rejected where there was no event at all. Of
        what `called_with` holds besides events, it becomes a dead letter.
        """
        receipt, waiting = Receipt(), []
        for event in (event for piece in notice.pieces for event in self._events(piece)):
            if isinstance(event, Rejected):
                receipt.rejected.append(event)
            else:
                receipt.accepted += 1
                waiting += self._handle(event, _takes(notice.topic_filter))
        if receipt.rejected and not receipt.accepted:
            raise receipt.rejected[0]
        if waiting:
            raise Unfinished(waiting)
        unburied = [r for r in receipt.rejected if not self._bury(codec.encode(called_with), r)]
        if unburied:
            raise Unfinished((), unburied)
        return receipt.to_dict()

    def go_on(self, continuation: Continuation) -> None:
        """Give an event to the handlers that another invocation left; raises Unfinished."""

        def concerns(match: Match) -> bool:
            return match.handler.name in continuation.handlers

        waiting = self._handle(continuation.event, concerns, lambda: Run(answered=True, takes_over=True))
        waiting += self._bury_for_the_missing(continuation)
        if waiting:
            raise Unfinished(waiting)

    def _bury_for_the_missing(self, continuation: Continuation) -> list[Result]:
        """Keep the event as a dead letter of each handler that is gone meanwhile; returns where that failed."""
        event = continuation.event
        there = {match.handler.name for match in self._runner.router.route(event)}
        gone = sorted(continuation.handlers - there)
        results = [self._runner.give_up(event, name, f"no handler {name} listens to this any more") for name in gone]
        return self._runner.finish(event, results).waiting if results else []

    def take_batch(self, batch: Batch, invocation: Invocation) -> dict[str, Any]:
        """Handle the records of a batch, and name those that have to come again.

        Once a record failed, later ones with its key wait for it; so do those for which no time is left.
        """
        held: set[Hashable] = set()
        failed = [record.id for record in batch.records if not self._take_record(record, held, invocation)]
        # A stream comes again from there on, whatever else is named.
        return {"batchItemFailures": [{"itemIdentifier": id} for id in (failed[:1] if batch.stream else failed)]}

    def _take_record(self, record: Record, held: set[Hashable], invocation: Invocation) -> bool:
        """Whether a record is done with; its keys are added to those held where it is not."""
        keys: set[Hashable] = {record.key} if record.key else set()
        try:
            events = list(self._events_of(record))
            keys |= {(event.source, event.key) for event in events if isinstance(event, Event) and event.key}
            done = invocation.time_left > 0 and not keys & held and self._done(record, events)
        except Retry:
            done = False  # a file that could not be read
        if not done:
            held |= keys
        return done

    def _events_of(self, record: Record) -> Iterator[Event | Rejected]:
        pieces = [record.refused] if record.refused else opened(record.body, record.id)
        return (event for piece in pieces for event in self._events(piece))

    def _done(self, record: Record, events: Iterable[Event | Rejected]) -> bool:
        waiting = []
        for event in events:
            if isinstance(event, Event):
                waiting += self._handle(event, _takes(None), lambda: Run(answered=True, attempt=record.attempt))
            elif not self._bury(record.body, event):
                return False
        return not waiting

    def _handle(
        self, event: Event, concerns: Callable[[Match], bool], run: Callable[[], Run] = _nobody_waits
    ) -> list[Result]:
        """Run the handlers of an event; returns those that have to be given it again."""
        event = self._runner.identified(event)
        matches = self._runner.router.route(event)
        wanted = [match for match in matches if concerns(match)]
        if matches and not wanted:
            return []
        results = [run_in_time(self._runner, event, match, run()) for match in wanted]
        return self._runner.finish(event, results).waiting

    def _events(self, piece: Piece) -> Iterator[Event | Rejected]:
        """The events in a piece; what is none is logged."""
        for event in events_in(piece, self._runner.engine.sources, self._host.read):
            if isinstance(event, Rejected):
                self._runner.reject("an unknown source", event)
            yield event

    def _bury(self, body: bytes, rejected: Rejected) -> bool:
        """Whether a record that is no event is kept as a dead letter."""
        if not self._host.buries:
            return False
        try:
            self._host.bury_bytes(body, str(rejected))
        except Retry:
            return False
        return True


def _takes(topic_filter: str | None) -> Callable[[Match], bool]:
    """Which matches an IoT rule is there for: a message that fits several filters comes once by the rule of each."""
    return lambda match: topic_filter in (None, match.subscription.topic and match.subscription.topic.filter)
