"""A record that was read in part becomes the same event, or the same refusal, as one that was read whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.patterns.fingerprint import SCALAR
from botplatform.reader import reader
from botplatform.router import NOBODY, Handler, Router
from botplatform.source import Raw
from botplatform.sources.cloudtrail import SOURCE, normalize, reading
from botplatform.subscription import Subscription

if TYPE_CHECKING:
    from botplatform.reader import Read

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
OF_EVENTS: list[dict[str, Any]] = [{"type": ["com.amazonaws.iam.CreateUser"]}, {"subject": [{"exists": False}]}]
NOT_IN_PART: list[dict[str, Any]] = [
    {"time": [{"prefix": "2026"}]},
    {"datacontenttype": ["application/json"], "id": ["1"]},
]
# The name of the call decides, for each of these.
DECIDED: list[dict[str, Any]] = [
    {"data": {"eventName": [name], "userIdentity": {"type": ["Root"]}}}
    for name in ("CreateUser", *(f"Call{number}" for number in range(8)))
]
# What all events of the source begin with.
EVERY: list[dict[str, Any]] = [
    {"source": [{"prefix": "urn:aws:cloudtrail:"}]},
    {"type": [{"prefix": "com.amazonaws."}]},
]
quickly = settings(max_examples=300, deadline=None, database=None, derandomize=True)


def wrapped(record: Any, **more: Any) -> bytes:
    return json.dumps(
        {"detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", **more, "detail": record}
    ).encode()


def handler(number: int, pattern: dict[str, Any]) -> Handler:
    wants = Subscription("cloudtrail", "records", pattern)
    return Handler(f"demo.number_{number}", "demo", lambda: None, (), (wants,), frozenset(), "demo.py", number)


def read_for(patterns: list[dict[str, Any]]) -> tuple[Router, Read]:
    codec.use_msgspec()
    router = Router(handler(number, pattern) for number, pattern in enumerate(patterns))
    return router, reader(SOURCE, router)


READERS = [
    read_for(patterns) for patterns in (PATTERNS, PATTERNS + OF_EVENTS, PATTERNS + NOT_IN_PART, DECIDED, EVERY, [])
]


def whole(event: Event | Rejected) -> Any:
    """An event, read to its end; a refusal as its reason and place."""
    try:
        found = event if isinstance(event, Rejected) else event.settle()
    except Rejected as refused:
        found = refused
    return (found.reason, found.where) if isinstance(found, Rejected) else found.to_dict()


def check(body: bytes) -> None:
    """Both ways to read give the same, but for what concerns nobody, and the same handlers where there is an event."""
    expected = list(normalize(Raw(body)))
    for router, read in READERS:
        for (event, plan), known in zip(read(body), expected, strict=True):
            assert plan is NOBODY if event is None else whole(event) == whole(known)
            assert isinstance(known, Rejected) or plan == router.plan(known)


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
    _, read = read_for(PATTERNS[:2])
    ((event, plan),) = read(body)
    assert isinstance(event, Event)

    assert [match.handler.name for match in plan.matches] == ["demo.number_0", "demo.number_1"]
    with pytest.raises(Rejected, match="out of range"):
        event.settle()


@pytest.mark.parametrize(
    ("paths", "in_part"),
    [
        (["source", "type", "subject", "data.a.b"], True),
        (["data.a", "time"], False),
        (["data.a", "data.a.b"], False),
        ([], True),
    ],
)
def test_some_patterns_take_the_whole_event(paths: list[str], in_part: bool) -> None:
    assert (reading(dict.fromkeys(paths, SCALAR)) is not None) == in_part


def test_what_every_event_begins_with_is_not_looked_at() -> None:
    """Where it happened is no text here, and some number too large: whoever looks at the one reads the other."""
    body = wrapped({**RECORD, "awsRegion": ["eu-central-1"]}).replace(b'"ana"', b"1e999")
    _, read = read_for(PATTERNS[:1])
    ((event, plan),) = read(body)

    assert isinstance(event, Event)
    assert [match.handler.name for match in plan.matches] == ["demo.number_0"]
