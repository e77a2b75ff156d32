"""AWS CloudTrail: who did what in an account, in whichever of its forms it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botplatform import codec
from botplatform.errors import Rejected, TooLarge
from botplatform.event import Event
from botplatform.source import Raw, Source, quoted, text_at
from botplatform.subscription import F, Subscription, limits, subscribe

if TYPE_CHECKING:
    from typing import Unpack

    from botplatform.subscription import LimitsGiven

# AWS delivers files of some 45 MB at most when unpacked; whatever is far beyond that is no log file.
UNPACKED_LIMIT = 256 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_SOURCE = "urn:aws:cloudtrail:"


def event(
    record: Mapping[str, Any] | None = None, *, name: str = "", **limited: Unpack[LimitsGiven]
) -> Callable[[F], F]:
    """Hear of API calls: `record` is an EventBridge pattern over the CloudTrail record.

    `@cloudtrail.event({"eventName": ["ConsoleLogin"], "userIdentity": {"type": ["Root"]}})`; without a pattern every
    record counts. On AWS the same pattern becomes the EventBridge rule (there, over `detail`). `name` is what lists
    call it.
    """
    pattern: dict[str, Any] = {"source": [{"prefix": _SOURCE}]}
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
    try:
        yield from _records(_decoded(unpacked(raw.body)), "$")
    except Rejected as rejected:
        yield rejected


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


def _decoded(text: bytes) -> Any:
    """The value of a JSON text, or the list of values of a text with one a line."""
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
    if isinstance(value, Rejected):
        yield value
    elif isinstance(value, list):
        for index, record in enumerate(value):
            yield from _records(record, f"{where}[{index}]")
    elif isinstance(value, dict) and isinstance(value.get("Records"), list):
        yield from _records(value["Records"], f"{where}.Records")
    elif isinstance(value, dict) and "awslogs" in value:
        yield from _records(_subscription(value["awslogs"], where), f"{where}.awslogs.data")
    elif isinstance(value, dict) and isinstance(value.get("logEvents"), list):
        for index, entry in enumerate(value["logEvents"]):
            yield from _records(_message(entry, f"{where}.logEvents[{index}]"), f"{where}.logEvents[{index}].message")
    elif isinstance(value, dict) and "detail-type" in value and isinstance(value.get("detail"), dict):
        yield _event(value["detail"], f"{where}.detail")
    else:
        yield _event(value, where)


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


def _event(record: Any, where: str) -> Event | Rejected:
    if not isinstance(record, dict):
        return Rejected(f"a CloudTrail record is an object, this is {type(record).__name__}", where)
    if _is_of_a_trigger(record):
        return Rejected(f"a record of {record['eventSource']}, not of CloudTrail", where)
    missing = [name for name in ("eventID", "eventSource", "eventName") if not text_at(record, name)]
    if missing:
        return Rejected(f"no CloudTrail record: {', '.join(missing)} missing", where)
    account = text_at(record, "recipientAccountId") or text_at(record, "userIdentity", "accountId") or ""
    event = Event(
        id=record["eventID"],
        source=f"{_SOURCE}{text_at(record, 'awsRegion') or ''}:{account}",
        type=f"com.amazonaws.{record['eventSource'].removesuffix('.amazonaws.com')}.{record['eventName']}",
        subject=text_at(record, "userIdentity", "arn"),
        time=text_at(record, "eventTime"),
        data=record,
    )
    try:
        return event.checked()
    except Rejected as rejected:
        return Rejected(rejected.reason, f"{where}.event{rejected.where.title()}")


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
    return isinstance(value, dict) and "eventID" in value and "eventSource" in value and not _is_of_a_trigger(value)


def _is_of_a_trigger(record: dict[str, Any]) -> bool:
    """Whether it is one of the "Records" of S3, SQS, Kinesis or DynamoDB, which Lambda names `aws:s3` and so on."""
    return (text_at(record, "eventSource") or "").startswith("aws:")


def suggest(event: Event) -> str:
    """The handler one would write for this event."""
    decorator = f'@cloudtrail.event({{"eventName": [{quoted(event.data.get("eventName"))}]}})'
    return f"{decorator}\ndef notice(event: Event, ctx: Context) -> None:\n    ..."


SOURCE = Source(
    name="cloudtrail",
    recognizes=recognizes,
    normalize=normalize,
    suggest=suggest,
    owns=lambda event: event.source.startswith(_SOURCE),
)
