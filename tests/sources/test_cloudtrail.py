"""CloudTrail records in every form they come in, real ones and broken ones."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from botplatform import cloudtrail, codec
from botplatform.errors import Rejected, TooLarge
from botplatform.event import Event
from botplatform.hosts.records import recognized, recognized_and_read
from botplatform.plugins import Plugins
from botplatform.source import Raw
from botplatform.sources.cloudtrail import unpacked

SOURCE = cloudtrail.SOURCE
RECORD = {
    "eventVersion": "1.09",
    "userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root", "accountId": "111122223333"},
    "eventTime": "2026-01-05T11:55:00Z",
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "awsRegion": "us-east-1",
    "requestParameters": None,
    "eventID": "00000000-0000-4000-8000-000000000001",
    "recipientAccountId": "111122223333",
}
# What EventBridge puts round a record.
BESIDE = {
    "version": "0",
    "id": "00000000-0000-4000-8000-000000000003",
    "detail-type": "AWS Console Sign In via CloudTrail",
    "source": "aws.signin",
    "account": "111122223333",
    "time": "2026-01-05T11:55:00Z",
    "region": "us-east-1",
    "resources": [],
}
ANOTHER = {**RECORD, "eventID": "00000000-0000-4000-8000-000000000002"}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def awslogs(value: Any) -> dict[str, Any]:
    """A CloudWatch Logs subscription that carries a value."""
    return {"awslogs": {"data": base64.b64encode(gzip.compress(encoded(value), mtime=0)).decode()}}


def log_events(*messages: str) -> dict[str, Any]:
    return {"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": message} for message in messages]}


def read(body: bytes) -> list[Event | Rejected]:
    return list(SOURCE.normalize(Raw(body)))


def places(body: bytes) -> list[str]:
    """What became of each record: the id of an event, or why and where it was refused."""
    return [found.id[-1] if isinstance(found, Event) else str(found) for found in read(body)]


# Real records


def real_records(path: Path) -> list[Any]:
    """The records in a file as the standard library reads them."""
    text = gzip.decompress(path.read_bytes())
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]
    return value["Records"] if isinstance(value, dict) else value  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("corpus", "count"),
    [
        ("invictus", 2900),  # as S3 holds them
        ("stratus-red-team", 310),  # bare arrays
        ("otrf", 103),  # one record a line
    ],
)
def test_every_real_record_becomes_a_valid_event_that_keeps_it_whole(
    shared_data: Path, envelope_schema: Draft7Validator, corpus: str, count: int
) -> None:
    records = 0
    for path in sorted((shared_data / "cloudtrail" / corpus).rglob("*.json.gz")):
        raw = Raw(path.read_bytes())
        assert recognized(Plugins().sources, raw).name == "cloudtrail"
        for event, record in zip(SOURCE.normalize(raw), real_records(path), strict=True):
            records += 1
            assert isinstance(event, Event), event
            assert (event.data, event.id) == (record, record["eventID"])
            envelope = json.loads(event.to_json())
            assert envelope["data"] == record
            envelope_schema.validate(envelope)
    assert records == count


def test_real_eventbridge_events_are_told_from_others(shared_data: Path) -> None:
    """An event of EventBridge is a record where CloudTrail made it, and nothing else is taken for one."""
    for path in sorted((shared_data / "events" / "cloud-custodian").glob("*.json")):
        value = json.loads(path.read_bytes())
        if "CloudTrail" in value.get("detail-type", ""):
            (event,) = read(path.read_bytes())
            assert isinstance(event, Event)
            assert event.data == value["detail"]
        elif "detail-type" in value:
            assert not SOURCE.recognizes(value)


def lambda_records(shared_data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The sample events of AWS that have "Records" and are not CloudTrail's."""
    for path in sorted((shared_data / "events").rglob("*.json")):
        if path.parent.name != "cloud-custodian" and '"Records"' in (text := path.read_text()):
            yield path.name, json.loads(text)


def test_the_records_of_other_services_are_refused_with_a_sentence(shared_data: Path) -> None:
    samples = list(lambda_records(shared_data))
    assert len(samples) > 30
    for name, value in samples:
        with pytest.raises(Rejected, match=r"^no source recognizes this \("):
            recognized(Plugins().sources, Raw(encoded(value)))
        for refused in read(encoded(value)):
            assert isinstance(refused, Rejected), name
            assert "CloudTrail" in refused.reason
            assert refused.where.startswith("$.Records[")


@pytest.mark.parametrize("sender", ["aws:s3", "aws:sqs", "aws:kinesis", "aws:dynamodb"])
def test_a_record_of_a_lambda_trigger_is_none_of_cloudtrails(sender: str) -> None:
    body = {"Records": [{"eventID": "1", "eventName": "INSERT", "eventSource": sender}]}
    assert places(encoded(body)) == [f"$.Records[0]: a record of {sender}, not of CloudTrail"]
    assert not SOURCE.recognizes(body)
    assert places(encoded({**RECORD, "eventSource": sender})) == [f"$: a record of {sender}, not of CloudTrail"]


# One record, many forms

FORMS: dict[str, Callable[[Any], bytes]] = {
    "bare": encoded,
    "pretty": lambda record: json.dumps(record, indent=2).encode(),
    "array": lambda record: encoded([record]),
    "S3": lambda record: encoded({"Records": [record]}),
    "S3, gzipped": lambda record: gzip.compress(encoded({"Records": [record]})),
    "S3, in two gzip members": lambda record: gzip.compress(b'{"Records": [') + gzip.compress(encoded(record) + b"]}"),
    "EventBridge": lambda record: encoded({"detail-type": "AWS API Call via CloudTrail", "detail": record}),
    "EventBridge, as it sends them": lambda record: encoded({**BESIDE, "detail": record}),
    "CloudWatch Logs": lambda record: encoded(awslogs(log_events(json.dumps(record)))),
    "CloudWatch Logs, unpacked": lambda record: encoded(log_events(json.dumps(record))),
}


@pytest.mark.parametrize("wrap", FORMS.values(), ids=FORMS.keys())
def test_all_forms_of_a_record_are_the_same_event(wrap: Callable[[Any], bytes]) -> None:
    (event,) = read(wrap(RECORD))
    assert isinstance(event, Event)
    assert event.to_dict() == {
        "specversion": "1.0",
        "id": "00000000-0000-4000-8000-000000000001",
        "source": "urn:aws:cloudtrail:us-east-1:111122223333",
        "type": "com.amazonaws.signin.ConsoleLogin",
        "subject": "arn:aws:iam::111122223333:root",
        "time": "2026-01-05T11:55:00Z",
        "datacontenttype": "application/json",
        "data": RECORD,
    }


@pytest.mark.parametrize("wrap", FORMS.values(), ids=FORMS.keys())
def test_all_forms_of_a_record_are_recognized(wrap: Callable[[Any], bytes]) -> None:
    assert recognized(Plugins().sources, Raw(wrap(RECORD))).name == "cloudtrail"


@pytest.mark.parametrize("wrap", FORMS.values(), ids=FORMS.keys())
def test_what_was_read_to_be_recognized_is_not_read_again(wrap: Callable[[Any], bytes]) -> None:
    codec.use_msgspec()
    source, known = recognized_and_read(Plugins().sources, Raw(wrap(RECORD)))
    for not_looked_at in (b"", wrap(ANOTHER)):
        assert list(source.normalize(Raw(not_looked_at, value=known.value))) == read(wrap(RECORD))


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_records_one_a_line_are_events_in_their_order(end: str) -> None:
    body = f"{json.dumps(RECORD)}\n\n{json.dumps(ANOTHER)}{end}".encode()
    assert places(body) == ["1", "2"]
    assert recognized(Plugins().sources, Raw(body)).name == "cloudtrail"


DEEP: Any = {"a": "b"}
for _ in range(20):
    DEEP = {"a": [DEEP]}


@pytest.mark.parametrize(
    "event",
    [
        {**BESIDE, "detail": RECORD},
        {**BESIDE, "detail": {**RECORD, "responseElements": DEEP}},
        {**BESIDE, "detail": RECORD, "replay-name": "again"},
        {**BESIDE, "detail": RECORD, "Records": [ANOTHER]},
        {**BESIDE, "detail": RECORD, "account": 111122223333},
        {**BESIDE, "detail": RECORD, "resources": [7]},
        {**BESIDE, "detail": RECORD, "resources": ["arn:aws:s3:::bucket"]},
        {**BESIDE, "detail": [RECORD]},
        {**BESIDE, "detail": {**RECORD, "eventName": 7}},
        {**RECORD, "detail": ANOTHER},
        BESIDE,
    ],
)
def test_an_event_of_eventbridge_is_read_at_once_as_it_is_otherwise(event: dict[str, Any]) -> None:
    codec.use_msgspec()
    decoded = Raw(b"", value=json.loads(encoded(event)))
    assert list(map(str, read(encoded(event)))) == list(map(str, SOURCE.normalize(decoded)))
    assert [found.data for found in read(encoded(event)) if isinstance(found, Event)] == [
        found.data for found in SOURCE.normalize(decoded) if isinstance(found, Event)
    ]


@pytest.mark.parametrize(
    ("odd", "attribute", "value"),
    [
        ({"recipientAccountId": None}, "source", "urn:aws:cloudtrail:us-east-1:111122223333"),
        ({"recipientAccountId": ""}, "source", "urn:aws:cloudtrail:us-east-1:111122223333"),
        ({"recipientAccountId": 7, "userIdentity": None}, "source", "urn:aws:cloudtrail:us-east-1:"),
        ({"awsRegion": None}, "source", "urn:aws:cloudtrail::111122223333"),
        ({"awsRegion": ""}, "source", "urn:aws:cloudtrail::111122223333"),
        ({"eventSource": "sign:in"}, "type", "com.amazonaws.sign:in.ConsoleLogin"),
        ({"userIdentity": "root"}, "subject", None),
        ({"userIdentity": {"arn": ""}}, "subject", None),
        ({"userIdentity": {"arn": 7}}, "subject", None),
        ({"eventTime": None}, "time", None),
        ({"eventTime": ""}, "time", None),
        ({"eventTime": 7}, "time", None),
        ({"eventTime": ["2026-01-05T11:55:00Z"]}, "time", None),
    ],
    ids=str,
)
def test_a_record_may_lack_what_nearly_all_have(odd: dict[str, Any], attribute: str, value: str | None) -> None:
    (event,) = read(encoded({**RECORD, **odd}))
    assert isinstance(event, Event)
    assert getattr(event, attribute) == value


@pytest.mark.parametrize("nothing", ["", None, 7, [], {}], ids=repr)
@pytest.mark.parametrize("name", ["eventID", "eventSource", "eventName"])
def test_a_record_without_a_name_is_none(name: str, nothing: Any) -> None:
    assert places(encoded({**RECORD, name: nothing})) == [f"$: no CloudTrail record: {name} missing"]


@pytest.mark.parametrize("body", [encoded({"Records": []}), encoded(awslogs({"messageType": "CONTROL_MESSAGE"}))])
def test_a_delivery_without_records_is_no_mistake(body: bytes) -> None:
    assert read(body) == []


# Broken ones


@pytest.mark.parametrize(
    ("body", "became"),
    [
        (
            encoded({"Records": [RECORD, {"eventID": "x"}, 7, ANOTHER]}),
            [
                "1",
                "$.Records[1]: no CloudTrail record: eventSource, eventName missing",
                "$.Records[2]: a CloudTrail record is an object, this is int",
                "2",
            ],
        ),
        (
            encoded([RECORD, {**ANOTHER, "eventTime": "noon"}, ANOTHER]),
            ["1", "$[1].eventTime: time 'noon' is no RFC 3339 timestamp with a time zone", "2"],
        ),
        (
            encoded(RECORD) + b"\n{\n" + encoded(ANOTHER),
            ["1", "line 2: not JSON: Input data was truncated", "2"],
        ),
        (
            encoded(awslogs(log_events(json.dumps(RECORD), "START RequestId: 1", json.dumps(ANOTHER)))),
            [
                "1",
                "$.awslogs.data.logEvents[1]: the message is not JSON: JSON is malformed: invalid character (byte 0)",
                "2",
            ],
        ),
        (
            encoded({"logEvents": [{"message": json.dumps(RECORD)}, {}, "x", {"message": "7"}]}),
            [
                "1",
                "$.logEvents[1]: a log event without a message",
                "$.logEvents[2]: a log event without a message",
                "$.logEvents[3].message: a CloudTrail record is an object, this is int",
            ],
        ),
        (
            encoded({"detail-type": "x", "detail": {}}),
            ["$.detail: no CloudTrail record: " + "eventID, eventSource, eventName missing"],
        ),
        (encoded({"awslogs": {"data": "*"}}), ["$.awslogs.data: awslogs.data is no base64"]),
        (encoded({"awslogs": None}), ["$.awslogs.data: awslogs.data is no base64"]),
        (
            encoded({"awslogs": {"data": "aGVsbG8="}}),
            ["$.awslogs.data: not JSON: JSON is malformed: invalid character (byte 0)"],
        ),
        (b"", ["not JSON: Input data was truncated"]),
        (b"hello", ["not JSON: JSON is malformed: invalid character (byte 0)"]),
    ],
)
def test_a_record_that_is_none_is_named_by_its_place_and_keeps_no_other_out(body: bytes, became: list[str]) -> None:
    assert places(body) == became


def test_a_file_cut_off_on_its_way_is_refused() -> None:
    body = gzip.compress(encoded({"Records": [RECORD] * 20}))
    for length in range(2, len(body), 7):
        assert places(body[:length]) == ["the gzip file ends too early: it was cut off, send it again"]


@pytest.mark.parametrize("at", [2, 10, 40, -8, -1])
def test_a_damaged_file_is_refused(at: int) -> None:
    body = bytearray(gzip.compress(encoded({"Records": [RECORD]})))
    body[at] ^= 0xFF
    (refused,) = read(bytes(body))
    assert isinstance(refused, Rejected)
    assert refused.reason.startswith("the gzip file ")


def test_a_file_may_unpack_to_the_limit_and_no_further() -> None:
    assert len(unpacked(gzip.compress(bytes(2**20)), limit=2**20)) == 2**20
    with pytest.raises(TooLarge, match=r"^the gzip file unpacks to more than 1 MiB$"):
        unpacked(gzip.compress(bytes(2**20 + 1)), limit=2**20)


def test_a_zip_bomb_is_refused() -> None:
    bomb = gzip.compress(bytes(2**24)) * 17
    (refused,) = read(bomb)
    assert isinstance(refused, TooLarge)
    assert str(refused) == "the gzip file unpacks to more than 256 MiB"


@pytest.mark.parametrize(
    ("record", "summary"),
    [
        (None, "every record"),
        ({"eventName": ["ConsoleLogin", "AssumeRole"]}, "ConsoleLogin, AssumeRole"),
        ({"eventSource": ["iam.amazonaws.com"]}, "iam.amazonaws.com"),
        ({"userIdentity": {"type": ["Root"]}, "readOnly": [False]}, "2 conditions"),
    ],
)
def test_a_subscription_is_listed_by_what_it_hears_of(record: Any, summary: str) -> None:
    (subscription,) = cloudtrail.event(record)(lambda: None).__botplatform_subscriptions__  # type: ignore[attr-defined]
    assert subscription.summary == summary


def test_the_handler_one_would_write_is_suggested() -> None:
    (event,) = read(encoded(RECORD))
    assert isinstance(event, Event)
    assert SOURCE.suggest(event).splitlines()[0] == '@cloudtrail.event({"eventName": ["ConsoleLogin"]})'
