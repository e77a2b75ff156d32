"""What called a function, told from the shape of what it was called with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.hosts.aws_lambda import http
from botplatform.hosts.records import Piece, peeled
from botplatform.source import Raw, text_at
from botplatform.values import NamedTuple

# How a function is called by its own kind.
OWN = "botplatform"
SWEEP = {OWN: "sweep"}


class Question(NamedTuple):
    """Alexa asks, and waits for the answer."""

    raw: Raw


class Record(NamedTuple):
    """One record of a batch: `id` names it in the answer, those with one `key` (if any) are handled in their order.

    `body` is what it carries, `refused` why no source could read that, if so. `attempt` counts its deliveries from 1.
    """

    id: str
    key: str
    body: bytes
    refused: Rejected | None = None
    attempt: int = 1


class Batch(NamedTuple):
    """Records whose sender takes a partial answer; a `stream` brings all again from the first that failed."""

    records: Sequence[Record]
    stream: bool


class Notice(NamedTuple):
    """Something happened, and its sender tries again if the function fails. `topic_filter` is that of an IoT rule."""

    pieces: Sequence[Piece]
    topic_filter: str | None = None


class Continuation(NamedTuple):
    """What an earlier invocation had no time left for: an event, and the handlers that are still to have it."""

    event: Event
    handlers: frozenset[str]

    def to_json(self) -> bytes:
        """The input of the invocation that goes on."""
        envelope = codec.decode(self.event.to_json())
        return codec.encode({OWN: "continue", "event": envelope, "handlers": sorted(self.handlers)})


class Sweep(NamedTuple):
    """The clock: finish the effects that a process left behind."""


Call = http.Request | Question | Batch | Notice | Continuation | Sweep


def recognize(value: Any) -> Call:
    """What called, given what Lambda decoded; raises Rejected, with the shape it got, for what never calls us."""
    if not isinstance(value, dict):
        raise Rejected(f"a function is called with an object, this is {shape(value)}")
    if OWN in value:
        return _own(value)
    if http.is_request(value):
        return http.read(value)
    if _is_alexa(value):
        return Question(Raw(codec.encode(value)))
    if isinstance(value.get("Records"), list) and value["Records"]:
        batch = _batch(value["Records"])
        if batch:
            return batch
    return Notice(list(peeled(value)), text_at(value, "filter") if "topic" in value else None)


def shape(value: Any, depth: int = 2) -> str:
    """The names and types in a value, and nothing of what it says: `{body: text, headers: {…}}`."""
    if isinstance(value, dict):
        if depth == 0:
            return "{…}"
        names = [f"{name}: {shape(inner, depth - 1)}" for name, inner in list(value.items())[:_NAMES_SHOWN]]
        return "{" + ", ".join(names + ["…"] * (len(value) > _NAMES_SHOWN)) + "}"
    if isinstance(value, list):
        return f"[{shape(value[0], depth - 1) if value and depth else ''}]"
    return _KINDS.get(type(value), type(value).__name__)


_NAMES_SHOWN = 8
_KINDS = {str: "text", int: "number", float: "number", bool: "boolean", type(None): "null"}


def _own(value: dict[str, Any]) -> Continuation | Sweep:
    if value == SWEEP:
        return Sweep()
    handlers = value.get("handlers")
    if value[OWN] == "continue" and isinstance(handlers, list):
        return Continuation(Event.from_dict(value.get("event")), frozenset(map(str, handlers)))
    raise Rejected(f"no call of our own: {shape(value)}", OWN)


def _is_alexa(value: dict[str, Any]) -> bool:
    """Whether it is a request to a skill, which has no signature here: Alexa alone may invoke the function."""
    if str(text_at(value, "header", "namespace")).startswith("Alexa.") or "directive" in value:
        raise Rejected("an Alexa Smart Home directive; only requests to custom skills are understood")
    request = value.get("request")
    return isinstance(request, dict) and "requestId" in request and "type" in request


def _batch(records: Sequence[Any]) -> Batch | None:
    """The batch in the "Records" of a queue or stream; None for those of other triggers, which know no batches."""
    read = _READERS.get(text_at(records[0], "eventSource") or "")
    if read is None or not all(isinstance(record, dict) for record in records):
        return None
    return Batch([read(record) for record in records], stream=read is not _from_sqs)


def _from_sqs(record: dict[str, Any]) -> Record:
    group = text_at(record, "attributes", "MessageGroupId") or ""
    received = text_at(record, "attributes", "ApproximateReceiveCount") or ""
    attempt = int(received) if received.isdigit() else 1
    body = (text_at(record, "body") or "").encode()
    return Record(text_at(record, "messageId") or "", group, body, attempt=attempt)


def _from_kinesis(record: dict[str, Any]) -> Record:
    shard = (text_at(record, "eventID") or "").partition(":")[0]
    number = text_at(record, "kinesis", "sequenceNumber") or ""
    key = f"{shard}/{text_at(record, 'kinesis', 'partitionKey')}"
    try:
        return Record(number, key, codec.from_base64(text_at(record, "kinesis", "data"), "kinesis.data"))
    except Rejected:
        return Record(number, key, codec.encode(record), Rejected("the data of a Kinesis record is no base64"))


def _from_dynamodb(record: dict[str, Any]) -> Record:
    number = text_at(record, "dynamodb", "SequenceNumber") or ""
    return Record(number, "", codec.encode(record), Rejected("no source takes the records of DynamoDB streams"))


_READERS = {"aws:sqs": _from_sqs, "aws:kinesis": _from_kinesis, "aws:dynamodb": _from_dynamodb}
