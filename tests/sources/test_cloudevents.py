"""Events of other producers, in each of the three ways CloudEvents travel over HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cloudevents.conversion import to_binary, to_json, to_structured
from cloudevents.http import CloudEvent, from_http

from botplatform import cloudevents
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.source import Raw
from botplatform.subscription import subscriptions_of

SOURCE = cloudevents.SOURCE
ENVELOPE = {
    "specversion": "1.0",
    "id": "1",
    "source": "/shop",
    "type": "com.example.order.created",
    "subject": "order-7",
    "time": "2026-01-05T12:00:00Z",
    "datacontenttype": "application/json",
    "partitionkey": "customer-3",
    "data": {"total": 39.9},
}
HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/shop",
    "ce-type": "com.example.order.created",
    "ce-subject": "order-7",
    "ce-time": "2026-01-05T12:00:00Z",
    "ce-partitionkey": "customer-3",
    "content-type": "application/json",
}


def read(body: bytes, **headers: str) -> list[Event | Rejected]:
    return list(SOURCE.normalize(Raw(body, headers)))


def one(body: bytes, headers: dict[str, str]) -> Event:
    """The one event in a request."""
    (event,) = read(body, **headers)
    assert isinstance(event, Event), event
    return event


def without(mapping: dict[str, Any], *names: str, **changed: Any) -> dict[str, Any]:
    """A copy without some names and with others changed."""
    return {name: value for name, value in {**mapping, **changed}.items() if name not in names}


# Structured


@pytest.mark.parametrize(
    "media_type",
    ["", "application/json", "application/cloudevents+json", "application/cloudevents+json; charset=utf-8"],
)
def test_an_event_in_one_json_object_is_read(media_type: str) -> None:
    assert one(json.dumps(ENVELOPE).encode(), {"content-type": media_type}).to_dict() == ENVELOPE


def test_bytes_are_read() -> None:
    envelope = without(ENVELOPE, "data", datacontenttype="image/png", data_base64=base64.b64encode(b"\x89PNG").decode())
    assert one(json.dumps(envelope).encode(), {}).data == b"\x89PNG"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"specversion": None}, "specversion: specversion is None, wanted '1.0'"),
        ({"specversion": "0.3"}, "specversion: specversion is '0.3', wanted '1.0'"),
        ({"id": ""}, "id: id is missing or no text"),
        ({"id": 7}, "id: id is missing or no text"),
        ({"source": None}, "source: source is missing or no text"),
        ({"type": []}, "type: type is missing or no text"),
        ({"subject": ""}, "subject: subject is missing or no text"),
        ({"time": "noon"}, "time: time 'noon' is no RFC 3339 timestamp with a time zone"),
        ({"time": "2026-01-05T12:00:00"}, "time: time '2026-01-05T12:00:00' is no RFC 3339 timestamp with a time zone"),
        ({"partition_key": "x"}, "partition_key: extension 'partition_key' wants a name of its own, of lower-case "
                                 "letters and digits"),
        ({"sequence": 1.5}, "sequence: extension 'sequence' is float, wanted text, an integer or a boolean"),
        ({"data_base64": "aGk="}, "data_base64: an event has data or data_base64, not both"),
    ],
)  # fmt: skip
def test_the_attribute_that_is_wrong_is_named(changed: dict[str, Any], reason: str) -> None:
    assert [str(found) for found in read(json.dumps({**ENVELOPE, **changed}).encode())] == [reason]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON: Input data was truncated"),
        (b"hello", "not JSON: JSON is malformed: invalid character (byte 0)"),
        (b'"hello"', "a CloudEvent is a JSON object"),
    ],
)
def test_what_is_no_object_is_refused(body: bytes, reason: str) -> None:
    assert [str(found) for found in read(body)] == [reason]


# Batches


@pytest.mark.parametrize("media_type", ["", "application/cloudevents-batch+json"])
def test_a_bad_event_in_a_batch_is_named_by_its_place_and_keeps_no_other_out(media_type: str) -> None:
    batch = [ENVELOPE, without(ENVELOPE, "id"), 7, without(ENVELOPE, id="2")]
    first, nameless, number, last = read(json.dumps(batch).encode(), **{"content-type": media_type})
    assert (isinstance(first, Event) and first.id, isinstance(last, Event) and last.id) == ("1", "2")
    assert str(nameless) == "$[1].id: id is missing or no text"
    assert str(number) == "$[2]: a CloudEvent is a JSON object"


def test_a_batch_may_be_empty() -> None:
    assert read(b"[]", **{"content-type": "application/cloudevents-batch+json"}) == []


def test_one_event_is_no_batch() -> None:
    (refused,) = read(json.dumps(ENVELOPE).encode(), **{"content-type": "application/cloudevents-batch+json"})
    assert str(refused) == "a batch is a list of events"


# Binary


def test_attributes_are_read_from_headers_and_data_from_the_body() -> None:
    assert one(b'{"total": 39.9}', HEADERS).to_dict() == ENVELOPE


def test_json_is_kept_byte_for_byte() -> None:
    assert one(b'{ "total" : 39.90 }', HEADERS).data_json == b'{ "total" : 39.90 }'


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),  # the example of the HTTP binding, 3.1.3.2
        ('"Euro%20%E2%82%AC%20%F0%9F%98%80"', "Euro € 😀"),
        ("100%25", "100%"),
        ("%22quoted%22", '"quoted"'),
        ('"a \\"b\\" c"', 'a "b" c'),
        ("a+b", "a+b"),
        ("%zz", "%zz"),
        ("%ff", "�"),
    ],
)
def test_headers_are_decoded_as_the_http_binding_says(header: str, subject: str) -> None:
    assert one(b"", {**HEADERS, "ce-subject": header}).subject == subject


@pytest.mark.parametrize(
    ("media_type", "body", "data"),
    [
        ("application/json", b"[1]", [1]),
        ("application/json; charset=utf-8", b'"hi"', "hi"),
        ("application/vnd.example+json", b"{}", {}),
        ("text/plain", b"hi", b"hi"),
        ("text/xml", b"<a/>", b"<a/>"),
        ("image/png", b"\x89PNG", b"\x89PNG"),
        ("application/json", b"", None),
    ],
)
def test_the_content_type_says_what_the_data_is(media_type: str, body: bytes, data: Any) -> None:
    event = one(body, {**HEADERS, "content-type": media_type})
    assert (event.datacontenttype, event.data) == (media_type, data)


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (without(HEADERS, "ce-id"), b"{}", "id: id is missing or no text"),
        ({**HEADERS, "ce-specversion": "0.3"}, b"{}", "specversion: specversion is '0.3', wanted '1.0'"),
        ({**HEADERS, "ce-time": "noon"}, b"{}", "time: time 'noon' is no RFC 3339 timestamp with a time zone"),
        ({**HEADERS, "ce-data": "{}"}, b"{}", "ce-data: data is no attribute"),
        ({**HEADERS, "ce-data_base64": "aGk="}, b"", "ce-data: data is no attribute"),
        ({**HEADERS, "ce-": "x"}, b"{}", "extension '' wants a name of its own, of lower-case letters and digits"),
        (HEADERS, b"{", "not JSON: Input data was truncated"),
    ],
)
def test_a_binary_event_that_is_wrong_is_refused(headers: dict[str, str], body: bytes, reason: str) -> None:
    assert [str(found) for found in read(body, **headers)] == [reason]


# The official SDK

SENT = [
    pytest.param(ENVELOPE, {"total": 39.9}, id="json"),
    pytest.param(without(ENVELOPE, datacontenttype="image/png"), b"\x89PNG", id="bytes"),
    pytest.param({"type": "t", "source": "s", "id": "1", "time": "2026-01-05T12:00:00Z"}, None, id="bare"),
    pytest.param(without(ENVELOPE, subject="plain ASCII, with % and spaces"), [1, 2], id="text"),
]


def by_sdk(attributes: dict[str, Any], data: Any) -> CloudEvent:
    return CloudEvent(without(attributes, "data"), data)


@pytest.mark.parametrize(("attributes", "data"), SENT)
def test_what_the_sdk_sends_structured_is_the_same_event(attributes: dict[str, Any], data: Any) -> None:
    headers, body = to_structured(by_sdk(attributes, data))
    event = one(body, dict(headers))
    assert without(event.to_dict(), "data", "data_base64").items() >= without(attributes, "data").items()
    assert event.data == data


@pytest.mark.parametrize(("attributes", "data"), SENT)
def test_what_the_sdk_sends_binary_is_the_same_event(attributes: dict[str, Any], data: Any) -> None:
    headers, body = to_binary(by_sdk(attributes, data))
    event = one(body or b"", {name.lower(): value for name, value in headers.items()})
    assert without(event.to_dict(), "data", "data_base64").items() >= without(attributes, "data").items()
    assert event.data == data


@pytest.mark.parametrize(("attributes", "data"), SENT)
def test_what_we_write_the_sdk_reads_as_the_same_event(attributes: dict[str, Any], data: Any) -> None:
    event = one(to_json(by_sdk(attributes, data)), {})
    read_back = from_http({"content-type": "application/cloudevents+json"}, event.to_json())
    assert read_back.get_attributes().items() >= without(attributes, "data").items()
    assert read_back.get_data() == data


# Subscriptions


def test_an_event_is_heard_of_by_its_type_or_by_a_pattern_over_the_envelope() -> None:
    pattern = {"source": [{"prefix": "/shop"}]}
    (subscription,) = subscriptions_of(cloudevents.event("com.example.order", pattern)(lambda: None))
    assert subscription.pattern == {"source": [{"prefix": "/shop"}], "type": ["com.example.order"]}


def test_a_subscription_says_which_events() -> None:
    with pytest.raises(ValueError, match=r"^say which events: a type, or a pattern$"):
        cloudevents.event()


def test_the_handler_one_would_write_is_suggested() -> None:
    event = one(json.dumps(ENVELOPE).encode(), {})
    assert SOURCE.suggest(event).splitlines()[0] == '@cloudevents.event("com.example.order.created")'
