"""What a record carries: the wrappers of AWS peeled off, down to what a source recognizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.source import Raw, Source, text_at
from botplatform.values import NamedTuple

_GZIP = b"\x1f\x8b"


class StoredFile(NamedTuple):
    """A CloudTrail file in S3, of which a notification came; its events are in it."""

    bucket: str
    key: str


Piece = Raw | StoredFile | Rejected


class Receipt:
    """What became of the records somebody handed in."""

    def __init__(self, accepted: int = 0, rejected: Iterable[Rejected] = ()) -> None:
        self.accepted = accepted
        self.rejected = list(rejected)

    def to_dict(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        reasons = [{"where": rejected.where, "reason": rejected.reason} for rejected in self.rejected]
        return {"accepted": self.accepted, "rejected": reasons}


def recognized(sources: Mapping[str, Source], raw: Raw) -> Source:
    """The source that recognizes some bytes by their headers or content; raises Rejected when none does."""
    return recognized_and_read(sources, raw)[0]


def recognized_and_read(sources: Mapping[str, Source], raw: Raw) -> tuple[Source, Raw]:
    """The same, and the bytes for it to normalize, with what they hold where that had to be read to recognize them."""
    if "ce-specversion" in raw.headers or raw.media_type.startswith("application/cloudevents"):
        return sources["cloudevents"], raw
    body = _unpacked(raw.body)
    try:
        value = codec.received(body)
    except Rejected as broken:
        value = _first_line(body)
        if value is None:
            if "slack" in sources and b"=" in body[:200] and not body.lstrip().startswith((b"{", b"[")):
                return sources["slack"], raw  # the only one that sends forms
            raise broken
        return _recognizing(sources, value), raw
    return _recognizing(sources, value), Raw(raw.body, raw.headers, value)


def _recognizing(sources: Mapping[str, Source], value: Any) -> Source:
    for source in sources.values():
        if source.recognizes(value):
            return source
    shape = ", ".join(sorted(value)[:6]) if isinstance(value, dict) else type(value).__name__
    raise Rejected(f"no source recognizes this ({shape})")


def must_be_signed(event: Event, owner: Source) -> Rejected | None:
    """Why an event may not come in by a door where nobody checks a signature, if it may not."""
    if owner.signed:
        return Rejected(f"an event of type {event.type} has to come from {owner.name} itself, signed", "type")
    return None


def opened(body: bytes, id: str = "") -> Iterator[Piece]:
    """The pieces in the body of a message: what a queue, a topic or a stream carries.

    `id` is that of the message: bytes get it as their header `message-id`, for records that have no id of their own.
    """
    value = _wrapper(body)
    if value is None:
        yield Raw(body, {"message-id": id} if id else {})
    else:
        yield from peeled(value, id)


def peeled(value: Any, id: str = "") -> Iterator[Piece]:
    """The pieces in a decoded value: bytes for `recognized`, files in S3, and a Rejected for each that is neither.

    Wrappers are SNS notifications, EventBridge events of our own bus, S3 notifications, and dead letters (ours, and
    those Lambda keeps), one in another. What is wrapped by the service that a source reads (a CloudTrail record in an
    EventBridge event) stays as it is. `id` is as for `opened`.
    """
    try:
        yield from _peeled(value, id)
    except RecursionError:
        yield Rejected("wrapped in too many wrappers")


def events_in(
    piece: Piece, sources: Mapping[str, Source], content: Callable[[StoredFile], bytes]
) -> Iterator[Event | Rejected]:
    """The events in a piece, and a Rejected for each record that is none.

    `content` gives the bytes of a file in S3; what it raises other than Rejected goes on to the caller.
    """
    try:
        if isinstance(piece, Rejected):
            raise piece
        raw = Raw(content(piece)) if isinstance(piece, StoredFile) else piece
        source, read = recognized_and_read(sources, raw)
        yield from source.normalize(read)
    except Rejected as rejected:
        yield rejected


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(_GZIP):
        return body
    from botplatform.sources.cloudtrail import unpacked

    return unpacked(body)


def _first_line(body: bytes) -> Any:
    lines = body.split(b"\n", 1)
    try:
        return codec.decode(lines[0]) if len(lines) > 1 else None
    except Rejected:
        return None


def _peeled(value: Any, id: str) -> Iterator[Piece]:
    if not isinstance(value, dict):
        yield Raw(codec.encode(value))
    elif _is_of_a_trigger(value):
        for record in value["Records"]:
            yield from _record(record)
    elif "botplatform" in value:
        yield from _dead_letter(value)
    elif "requestPayload" in value and "requestContext" in value:
        yield from peeled(value["requestPayload"], id)
    elif value.get("Type") == "Notification" and "TopicArn" in value:
        yield from opened(str(value.get("Message", "")).encode(), text_at(value, "MessageId") or id)
    elif "detail-type" in value and isinstance(value.get("detail"), dict):
        yield from _eventbridge(value)
    elif value.get("Event") != "s3:TestEvent":  # S3 only tries whether it may send
        yield Raw(codec.encode(value), {"message-id": id} if id else {})


def _wrapper(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body, which may be a wrapper; None for everything else."""
    if not body.lstrip().startswith(b"{"):
        return None
    try:
        value = codec.decode(body)
    except Rejected:
        return None  # one record a line, perhaps
    return value if isinstance(value, dict) else None


def _is_of_a_trigger(value: dict[str, Any]) -> bool:
    """Whether it has the "Records" of a Lambda trigger: CloudTrail's files have some too."""
    records = value.get("Records")
    return isinstance(records, list) and any(_trigger(record).startswith("aws:") for record in records)


def _trigger(record: Any) -> str:
    return text_at(record, "eventSource") or text_at(record, "EventSource") or ""


def _dead_letter(letter: dict[str, Any]) -> Iterator[Piece]:
    """What a dead letter of ours is about: moved back into a queue, it is tried again."""
    if isinstance(letter.get("event"), dict):
        yield Raw(codec.encode(letter["event"]))
        return
    try:
        yield from opened(codec.from_base64(letter.get("body_base64"), "body_base64"))
    except Rejected:
        yield Rejected("no dead letter: it has neither an event nor a body in base64")


def _record(record: dict[str, Any]) -> Iterator[Piece]:
    """What one of the "Records" of a Lambda trigger carries."""
    trigger = _trigger(record)
    if trigger == "aws:sns" and text_at(record, "Sns", "Message"):
        yield from opened(record["Sns"]["Message"].encode(), text_at(record, "Sns", "MessageId") or "")
    elif trigger == "aws:s3" and text_at(record, "s3", "bucket", "name"):
        yield _notification(record)
    else:
        yield Rejected(f"no source takes records of {trigger or 'an unnamed trigger'}")


def _notification(record: dict[str, Any]) -> Piece:
    from urllib.parse import unquote_plus

    name, s3 = text_at(record, "eventName") or "", record["s3"]
    # Amazon S3, "Event message structure": the key in a notification is encoded as in a URL.
    key = unquote_plus(text_at(s3, "object", "key") or "")
    return _stored(s3["bucket"]["name"], key, name.removeprefix("s3:").startswith("ObjectCreated:"), name)


def _stored(bucket: str, key: str, created: bool, what: str) -> Piece:
    """A CloudTrail file, by where CloudTrail puts them; anything else in a bucket is nobody's."""
    if not created:
        return Rejected(f"{what} of s3://{bucket}/{key}: only new files are read")
    if "/CloudTrail/" not in key or not key.endswith((".json.gz", ".json")):
        return Rejected(f"s3://{bucket}/{key} is no CloudTrail file: those are at AWSLogs/…/CloudTrail/…/….json.gz")
    return StoredFile(bucket, key)


def _eventbridge(value: dict[str, Any]) -> Iterator[Piece]:
    kind, sender, detail = value["detail-type"], value.get("source"), value["detail"]
    if "specversion" in detail:
        yield Raw(codec.encode(detail))
    elif "eventID" in detail and "eventSource" in detail:
        yield Raw(codec.encode(value))
    elif sender == "aws.s3" and text_at(detail, "bucket", "name"):
        key = text_at(detail, "object", "key") or ""
        yield _stored(detail["bucket"]["name"], key, kind == "Object Created", str(kind))
    elif kind == "Scheduled Event":
        wanted = '{"schedule": "plugin.function", "time": "<aws.scheduler.scheduled-time>"}'
        yield Rejected(f"a scheduled EventBridge rule names no schedule: use EventBridge Scheduler with input {wanted}")
    else:
        yield Rejected(f"no source takes the EventBridge event {kind!r} of {sender!r}")
