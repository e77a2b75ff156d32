"""A record that was read in part becomes the same event, or the same refusal, as one that was read whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.patterns.fingerprint import SCALAR
from botplatform.patterns.index import Index
from botplatform.patterns.parse import compile
from botplatform.source import Raw
from botplatform.sources.cloudtrail import SOURCE, normalize, reading

EVENTS = Path(__file__).resolve().parents[2] / "events" / "cloudtrail"
RECORD: dict[str, Any] = {
    "eventID": "1",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser",
    "eventTime": "2026-01-05T12:00:00Z",
    "awsRegion": "eu-central-1",
    "recipientAccountId": "123456789012",
    "userIdentity": {"type": "Root", "arn": "arn:aws:iam::123456789012:root", "accountId": "123456789012"},
    "requestParameters": {"userName": "ana"},
}
PATTERNS: list[dict[str, Any]] = [
    {"source": [{"prefix": "urn:aws:cloudtrail:"}], "data": {"eventName": ["CreateUser", "DeleteUser"]}},
    {"source": [{"prefix": "urn:aws:cloudtrail:eu-"}], "data": {"userIdentity": {"type": ["Root"]}}},
    {"source": [{"suffix": ":123456789012"}], "data": {"requestParameters": {"userName": [{"exists": False}]}}},
    {"data": {"eventTime": [{"exists": False}]}},
]
OF_EVENTS: list[dict[str, Any]] = [
    {"type": ["com.amazonaws.iam.CreateUser"]},
    {"subject": [{"exists": False}], "time": [{"prefix": "2026"}]},
    {"datacontenttype": ["application/json"], "id": ["1"]},
]
quickly = settings(max_examples=300, deadline=None, database=None, derandomize=True)


def wrapped(record: Any, **more: Any) -> bytes:
    return json.dumps(
        {"detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", **more, "detail": record}
    ).encode()


def index_of(patterns: list[dict[str, Any]]) -> Index[int]:
    index: Index[int] = Index()
    for number, pattern in enumerate(patterns):
        index.add(number, compile(pattern))
    return index


INDEXES = [index_of(PATTERNS), index_of(PATTERNS + OF_EVENTS)]
READERS = [(index.paths, index, reading(index.paths, index.kinds)) for index in INDEXES]


def whole(read: Callable[[Raw], Any], body: bytes) -> list[Any]:
    """What a reader finds, with each event read to its end; a refusal as its reason and place."""
    found: list[Any] = []
    for event in read(Raw(body)):
        try:
            found.append(event if isinstance(event, Rejected) else event.settle().to_dict())
        except Rejected as refused:
            found.append(refused)
    return [(one.reason, one.where) if isinstance(one, Rejected) else one for one in found]


def check(body: bytes) -> None:
    """Both ways to read give the same, and both match the same patterns where there is an event at all."""
    expected = whole(normalize, body)
    for paths, index, read in READERS:
        assert whole(read, body) == expected
        matched = [index.match(event.seen(paths)) for event in read(Raw(body)) if isinstance(event, Event)]
        if not any(isinstance(one, tuple) for one in expected):
            assert matched == [index.match(one) for one in expected]


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*")), ids=lambda path: path.name)
def test_every_sample_is_the_same_event_either_way(path: Path) -> None:
    check(path.read_bytes())


def test_real_records_match_the_same_patterns_either_way(shared_data: Path) -> None:
    file = min((shared_data / "cloudtrail" / "invictus").rglob("*.json.gz"))
    for event in normalize(Raw(file.read_bytes())):
        assert isinstance(event, Event)
        check(wrapped(event.data))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        wrapped(RECORD)[:-1],
        wrapped(RECORD) + b"}",
        wrapped(RECORD) + b"\n" + wrapped(RECORD),
        wrapped([RECORD]),
        wrapped("CreateUser"),
        wrapped({}),
        wrapped({**RECORD, "eventID": ""}),
        wrapped({**RECORD, "eventName": ["CreateUser"]}),
        wrapped({**RECORD, "eventSource": "aws:s3"}),
        wrapped({**RECORD, "eventTime": "yesterday"}),
        wrapped({**RECORD, "eventTime": {}}),
        wrapped({**RECORD, "awsRegion": ["eu-central-1"], "recipientAccountId": 7}),
        wrapped({**RECORD, "userIdentity": None}),
        wrapped({**RECORD, "userIdentity": [{"accountId": "1"}]}),
        wrapped({**RECORD, "recipientAccountId": "", "userIdentity": {"accountId": 5, "arn": ""}}),
        wrapped({**RECORD, "eventName": "Küche"}),
        wrapped({"userIdentity.arn": "flat", **RECORD}),
        wrapped(RECORD, Records=[RECORD, RECORD]),
        wrapped(RECORD, Records="none"),
        json.dumps({"detail": {**RECORD, "detail-type": ""}, "Records": [RECORD, RECORD]}).encode(),
        wrapped(RECORD, logEvents=[]),
        wrapped(RECORD, awslogs={}),
        wrapped(RECORD).replace(b'"ana"', b'"\xff"'),
        wrapped(RECORD).replace(b'"ana"', b'"\xc3\xbc"'),
        wrapped(RECORD).replace(b'"ana"', b'"\\ud800"'),
        wrapped(RECORD).replace(b'"ana"', b"1e999"),
        wrapped(RECORD).replace(b'"ana"', b"1" * 5000),
        wrapped(RECORD).replace(b'"ana"', b"[" * 200 + b'{"a":' * 200 + b"1" + b"}" * 200 + b"]" * 200),
        wrapped(RECORD).replace(b'"ana"', b"[" * 5000),
        wrapped(RECORD).replace(b'"eventID": "1"', b'"eventID": "2", "eventID": "1"'),
        wrapped(RECORD).replace(b'"eventName": ', b'"eventName": "DeleteUser", "event\\u004eame": '),
    ],
    ids=range(33),
)
def test_whatever_is_wrong_with_a_record_is_wrong_either_way(body: bytes) -> None:
    check(body)


VALUES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from([[], {}, ["1"], {"arn": 1}, ""])
)


@quickly
@given(
    changes=st.dictionaries(st.sampled_from(sorted(RECORD)), VALUES), left_out=st.sets(st.sampled_from(sorted(RECORD)))
)
@example(changes={"userIdentity": {"arn": 1}}, left_out={"eventTime"})
def test_any_values_make_the_same_event_either_way(changes: dict[str, Any], left_out: set[str]) -> None:
    record = {name: value for name, value in {**RECORD, **changes}.items() if name not in left_out}
    check(wrapped(record))
    check(json.dumps({"detail-type": "", "detail": record}, ensure_ascii=False).encode(errors="replace"))


@quickly
@given(
    start=st.integers(0, 600),
    length=st.integers(0, 40),
    slip=st.binary(max_size=8) | st.sampled_from([b"1e999", b"}", b'"']),
)
def test_damage_anywhere_is_found_either_way(start: int, length: int, slip: bytes) -> None:
    body = wrapped(RECORD)
    check(body[:start] + slip + body[start + length :])


def test_an_event_nobody_asks_for_is_not_read_to_its_end() -> None:
    """A number that no type can hold shows only to whoever reads it."""
    body = wrapped(RECORD).replace(b'"ana"', b"1e999")
    paths = frozenset({"source", "data.eventName"})
    (event,) = reading(paths, dict.fromkeys(paths, SCALAR))(Raw(body))
    assert isinstance(event, Event)

    assert event.seen(paths)["data"]["eventName"] == "CreateUser"
    with pytest.raises(Rejected, match="out of range"):
        event.settle()


def test_it_is_the_source_that_offers_to_read_in_part() -> None:
    assert SOURCE.reading is reading
