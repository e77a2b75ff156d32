"""AWS CloudTrail: who did what in an account, in whichever of its forms it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botplatform import codec
from botplatform.errors import Rejected, TooLarge
from botplatform.event import Event
from botplatform.source import UNREAD, Raw, Reading, Source, quoted, text_at
from botplatform.sources.cloudtrail_record import (
    OF_SOURCE,
    OF_SUBJECT,
    OF_TYPE,
    SOURCE_PREFIX,
    TYPE_PREFIX,
    is_of_a_trigger,
    source_of,
    subject_of,
    to_event,
    type_of,
)
from botplatform.subscription import F, Subscription, limits, subscribe

if TYPE_CHECKING:
    from typing import Unpack

    from botplatform.subscription import LimitsGiven

# AWS delivers files of some 45 MB at most when unpacked; whatever is far beyond that is no log file.
UNPACKED_LIMIT = 256 * 1024 * 1024
_GZIP = b"\x1f\x8b"
# What EventBridge puts round a record (EventBridge User Guide, "AWS service event metadata").
_BESIDE = ("version", "id", "detail-type", "source", "account", "time", "region", "resources")
_detail = codec.unwrapping("detail", _BESIDE)
# What else a record may come wrapped in than an EventBridge event.
_WRAPPERS = ("Records", "awslogs", "logEvents")
# The attributes of an event that patterns may look at, and where in its record they come from.
_OF_PATHS = {"source": OF_SOURCE, "type": OF_TYPE, "subject": OF_SUBJECT}


def event(
    record: Mapping[str, Any] | None = None, *, name: str = "", **limited: Unpack[LimitsGiven]
) -> Callable[[F], F]:
    """Hear of API calls: `record` is an EventBridge pattern over the CloudTrail record.

    `@cloudtrail.event({"eventName": ["ConsoleLogin"], "userIdentity": {"type": ["Root"]}})`; without a pattern every
    record counts. On AWS the same pattern becomes the EventBridge rule (there, over `detail`). `name` is what lists
    call it.
    """
    pattern: dict[str, Any] = {"source": [{"prefix": SOURCE_PREFIX}]}
    if record:
        pattern["data"] = dict(record)
    summary = name or _summary(record or {})
    return subscribe(Subscription("cloudtrail", summary, pattern, limits=limits(**limited)))


def _summary(record: Mapping[str, Any]) -> str:
    names = record.get("eventName") or record.get("eventSource")
    told = ", ".join(str(value) for value in names) if isinstance(names, list) else f"{len(record)} conditions"
    return told if record else "every record"


def normalize(raw: Raw) -> Iterator[Event | Rejected]:
    """The events in a file or a notification, and a Rejected that names the place for each record that is none.

    Understood are an S3 log file (gzipped or not), a CloudWatch Logs subscription, an EventBridge event, a bare
    record, a list of records, and one record a line.
    """
    record = _detail(raw.body) if raw.value is UNREAD else None
    if record is not None:
        return iter((to_event(record, "$.detail"),))
    try:
        return _records(raw.read(_decoded), "$")
    except Rejected as rejected:
        return iter((rejected,))


def reading(kinds: Mapping[str, Any]) -> Reading | None:
    """How a record in an EventBridge event is read by whoever looks at no more of its event than these dotted paths.

    `kinds` is what `Index.kinds` says of them. A record in any other form has no fingerprint.
    """
    from botplatform.patterns import fingerprint, pruned

    if not all(path in _OF_PATHS or path.startswith("data.") for path in kinds):
        return None
    held = {name: fingerprint.SCALAR for path in kinds for name in _OF_PATHS.get(path, ())}
    held |= {path.removeprefix("data."): kind for path, kind in kinds.items() if path.startswith("data.")}
    identify = fingerprint.decoder(held, fingerprint.Wrapping("detail", ["detail-type"], _WRAPPERS))
    if identify is None:
        return None
    decode = pruned.decoder(f"detail.{name}" for name in held)
    return Reading(identify, lambda body: _glimpse(decode(body).get("detail", {})))


def _glimpse(record: dict[str, Any]) -> dict[str, Any]:
    """What can be said of the event of a record by part of it."""
    about = {"source": source_of(record), "type": type_of(record), "data": record}
    subject = subject_of(record)
    return about if subject is None else {**about, "subject": subject}


def unpacked(body: bytes, limit: int = UNPACKED_LIMIT) -> bytes:
    """The bytes, gunzipped where they are gzipped; raises Rejected for a damaged file.

    Raises TooLarge for one that unpacks to more than `limit` bytes, without unpacking the rest of it.
    """
    if not body.startswith(_GZIP):
        return body
    import gzip
    import io
    import zlib

    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            content = file.read(limit + 1)
    except EOFError:
        raise Rejected("the gzip file ends too early: it was cut off, send it again") from None
    except (OSError, zlib.error) as error:
        raise Rejected(f"the gzip file is damaged: {error}") from None
    if len(content) > limit:
        raise TooLarge(f"the gzip file unpacks to more than {limit / 2**20:g} MiB")
    return content


def _decoded(body: bytes) -> Any:
    """The value of a JSON text, gzipped or not, or the list of values of a text with one a line."""
    text = unpacked(body)
    try:
        return codec.received(text)
    except Rejected:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not codec.is_json(lines[0]):
            raise
        return [_line(line, number) for number, line in enumerate(lines, 1)]


def _line(line: bytes, number: int) -> Any:
    try:
        return codec.received(line)
    except Rejected as rejected:
        return Rejected(rejected.reason, f"line {number}")


def _records(value: Any, where: str) -> Iterator[Event | Rejected]:
    """The events in any value a CloudTrail record can come wrapped in."""
    if type(value) is not dict or "Records" in value or "awslogs" in value or "logEvents" in value:
        return _several(value, where)
    return iter((_single(value, where),))


def _single(value: Any, where: str) -> Event | Rejected:
    """The event of a record, which may be the detail of an EventBridge event."""
    if type(value) is dict and "detail-type" in value and type(value.get("detail")) is dict:
        return to_event(value["detail"], f"{where}.detail")
    return to_event(value, where)


def _several(value: Any, where: str) -> Iterator[Event | Rejected]:
    """The events in whatever may hold more than one record."""
    if isinstance(value, Rejected):
        yield value
    elif isinstance(value, list):
        for index, record in enumerate(value):
            yield from _records(record, f"{where}[{index}]")
    elif isinstance(value, dict) and isinstance(value.get("Records"), list):
        yield from _several(value["Records"], f"{where}.Records")
    elif isinstance(value, dict) and "awslogs" in value:
        yield from _several(_subscription(value["awslogs"], where), f"{where}.awslogs.data")
    elif isinstance(value, dict) and isinstance(value.get("logEvents"), list):
        for index, entry in enumerate(value["logEvents"]):
            yield from _several(_message(entry, f"{where}.logEvents[{index}]"), f"{where}.logEvents[{index}].message")
    else:
        yield _single(value, where)


def _subscription(awslogs: Any, where: str) -> Any:
    """What a CloudWatch Logs subscription carries: base64 of gzip of JSON."""
    try:
        content = codec.received(unpacked(codec.from_base64(text_at(awslogs, "data"), "awslogs.data")))
    except Rejected as rejected:
        return Rejected(rejected.reason, f"{where}.awslogs.data")
    # CloudWatch Logs sends CONTROL_MESSAGE to see whether somebody listens: there is nothing in it.
    control = isinstance(content, dict) and content.get("messageType") == "CONTROL_MESSAGE"
    return [] if control else content


def _message(entry: Any, where: str) -> Any:
    try:
        return codec.received(entry["message"])
    except (TypeError, KeyError):
        return Rejected("a log event without a message", where)
    except Rejected as rejected:
        return Rejected(f"the message is {rejected.reason}", where)


def recognizes(value: Any) -> bool:
    """Whether a decoded value is a CloudTrail record or one of the things they come wrapped in."""
    if isinstance(value, list):
        return bool(value) and recognizes(value[0])
    if not isinstance(value, dict):
        return False
    if "awslogs" in value or "logEvents" in value:
        return True
    if isinstance(value.get("Records"), list):
        return not value["Records"] or any(_is_record(record) for record in value["Records"])
    if "detail-type" in value:
        return _is_record(value.get("detail"))
    return _is_record(value)


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and "eventID" in value and "eventSource" in value and not is_of_a_trigger(value)


def suggest(event: Event) -> str:
    """The handler one would write for this event."""
    decorator = f'@cloudtrail.event({{"eventName": [{quoted(event.data.get("eventName"))}]}})'
    return f"{decorator}\ndef notice(event: Event, ctx: Context) -> None:\n    ..."


SOURCE = Source(
    name="cloudtrail",
    recognizes=recognizes,
    normalize=normalize,
    suggest=suggest,
    owns=lambda event: event.source.startswith(SOURCE_PREFIX),
    reading=reading,
    beginnings={"source": SOURCE_PREFIX, "type": TYPE_PREFIX},
)
