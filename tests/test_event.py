"""What everybody may rely on of the envelope."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cloudevents.http import from_json
from jsonschema import Draft7Validator

from botplatform import Event, Rejected, cloudtrail
from botplatform.source import Raw
from tests.handlers import happened

NOON = datetime(2026, 1, 5, 12, 0, 0, 250_000, tzinfo=UTC)
SAMPLES = {
    "bare": happened(),
    "object": happened(data={"celsius": 31.5, "tags": ["a", None, True], "nested": {"ü": "°"}}),
    "text": happened(data="on"),
    "number": happened(data=0),
    "truth": happened(data=True),
    "list": happened(data=[]),
    "encoded": happened(data_json=b'{ "kept" : 1.0 }'),
    "bytes": happened(data=b"\x00\xff", datacontenttype="image/png"),
    "full": happened(
        subject="rooms/kitchen",
        time=NOON,
        dataschema="https://example.com/schema",
        data={"a": 1},
        extensions={"partitionkey": "kitchen", "sequence": 7, "sampled": True},
    ),
}
every_sample = pytest.mark.parametrize("event", SAMPLES.values(), ids=SAMPLES.keys())
ENVELOPE = {"specversion": "1.0", "id": "1", "source": "/tests", "type": "com.example.happened"}


@pytest.fixture(scope="module")
def schema(shared_data: Path) -> Draft7Validator:
    return Draft7Validator(json.loads((shared_data / "cloudevents" / "cloudevents-v1-schema.json").read_bytes()))


@every_sample
def test_its_json_is_valid_against_the_cloudevents_schema(event: Event, schema: Draft7Validator) -> None:
    schema.validate(json.loads(event.to_json()))


@every_sample
def test_the_official_sdk_reads_the_same_attributes_and_data(event: Event) -> None:
    read = from_json(event.to_json())

    written = {name: value for name, value in event.to_dict().items() if name not in ("data", "data_base64")}
    attributes = dict(read.get_attributes())
    assert {"time": attributes["time"], **written} == attributes  # the SDK makes up a time where there is none
    assert read.get_data() == event.data


def test_real_records_are_valid_and_read_back_by_the_official_sdk(shared_data: Path, schema: Draft7Validator) -> None:
    file = min((shared_data / "cloudtrail" / "invictus").rglob("*.json.gz"))
    events = [event for event in cloudtrail.SOURCE.normalize(Raw(file.read_bytes())) if isinstance(event, Event)]

    assert events
    for event in events:
        schema.validate(json.loads(event.to_json()))
        assert from_json(event.to_json()).get_data() == event.data


def test_its_json_holds_every_attribute_under_its_cloudevents_name() -> None:
    assert json.loads(SAMPLES["full"].to_json()) == {
        "specversion": "1.0",
        "id": "1",
        "source": "/tests",
        "type": "com.example.happened",
        "subject": "rooms/kitchen",
        "time": "2026-01-05T12:00:00.250000Z",
        "datacontenttype": "application/json",
        "dataschema": "https://example.com/schema",
        "partitionkey": "kitchen",
        "sequence": 7,
        "sampled": True,
        "data": {"a": 1},
    }


def test_bytes_are_written_as_base64() -> None:
    assert json.loads(SAMPLES["bytes"].to_json())["data_base64"] == "AP8="


@every_sample
def test_its_json_is_that_of_its_fields(event: Event) -> None:
    assert json.loads(event.to_json()) == event.to_dict()


@every_sample
def test_reading_what_was_written_gives_an_equal_event(event: Event) -> None:
    assert Event.from_json(event.to_json()) == event
    assert Event.from_dict(event.to_dict()) == event


def test_bytes_may_be_none_at_all() -> None:
    assert Event.from_json(happened(data=b"").to_json()).data == b""


def test_data_that_arrived_as_json_is_kept_byte_for_byte() -> None:
    assert b'"data":{ "kept" : 1.0 }' in SAMPLES["encoded"].to_json()


def test_events_that_differ_in_anything_are_not_equal() -> None:
    assert len(set(SAMPLES.values())) == len(SAMPLES)


@pytest.mark.parametrize("name", ["id", "type", "data", "subject", "time", "anything"])
def test_it_cannot_be_changed(name: str) -> None:
    event = happened(data={"a": 1})

    with pytest.raises(AttributeError, match=f"cannot be changed: {name}"):
        setattr(event, name, "other")
    with pytest.raises(AttributeError, match=f"cannot be changed: {name}"):
        delattr(event, name)


def test_its_extensions_cannot_be_changed_either() -> None:
    given: dict[str, str | int | bool] = {"partitionkey": "a"}
    event = happened(extensions=given)
    given["partitionkey"] = "b"

    assert event.extensions["partitionkey"] == "a"
    with pytest.raises(TypeError):
        event.extensions["partitionkey"] = "b"  # type: ignore[index]


def test_whoever_changes_the_data_of_a_fresh_copy_changes_nobody_elses() -> None:
    event = happened(data={"list": [1]})
    event.fresh().data["list"].append(2)

    assert event.fresh().data == {"list": [1]}


@every_sample
def test_a_fresh_copy_is_equal(event: Event) -> None:
    assert event.fresh() == event
    assert event.fresh().to_json() == event.to_json()


def test_a_fresh_copy_can_be_copied_before_its_data_was_asked_for() -> None:
    assert happened(data={"a": 1}).fresh().replace(id="2").data == {"a": 1}
    assert happened(data={"a": 1}).fresh().fresh().data == {"a": 1}


def test_replacing_some_attributes_keeps_the_others() -> None:
    event = SAMPLES["full"].replace(id="2", data=[1])

    assert event.to_dict() == {**SAMPLES["full"].to_dict(), "id": "2", "data": [1]}


@pytest.mark.parametrize(
    ("wrong", "attribute"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion"),
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": ""}, "source"),
        ({"type": ["a"]}, "type"),
        ({"subject": ""}, "subject"),
        ({"subject": 1}, "subject"),
        ({"datacontenttype": ""}, "datacontenttype"),
        ({"dataschema": {}}, "dataschema"),
        ({"time": "yesterday"}, "time"),
        ({"data_base64": "%%"}, "data_base64"),
        ({"data_base64": 5}, "data_base64"),
        ({"data": 1, "data_base64": "AA=="}, "data_base64"),
        ({"Upper": "x"}, "Upper"),
        ({"with-dash": "x"}, "with-dash"),
        ({"": "x"}, ""),
        ({"fraction": 1.5}, "fraction"),
        ({"object": {}}, "object"),
        ({"toolarge": 2**31}, "toolarge"),
        ({"toosmall": -(2**31) - 1}, "toosmall"),
    ],
)
def test_bad_input_is_refused_and_the_attribute_named(wrong: dict[str, Any], attribute: str) -> None:
    with pytest.raises(Rejected) as refused:
        Event.from_dict({**ENVELOPE, **wrong})

    assert refused.value.where == attribute


@pytest.mark.parametrize("text", [b"", b"[]", b"7", b"{", b'{"id": "\xff"}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(Rejected):
        Event.from_json(text)


@pytest.mark.parametrize("extension", [0, -(2**31), 2**31 - 1, True, "", "ü", "x" * 1000])
def test_extensions_are_text_booleans_and_integers_of_32_bits(extension: str | int | bool) -> None:
    assert Event.from_dict({**ENVELOPE, "kept": extension}).extensions == {"kept": extension}


def test_attributes_that_are_null_are_not_there() -> None:
    nothing = dict.fromkeys(["subject", "time", "datacontenttype", "dataschema", "data_base64", "partitionkey"])

    assert Event.from_dict({**ENVELOPE, **nothing}).to_dict() == ENVELOPE


def test_an_event_that_is_checked_may_not_hide_an_attribute_behind_an_extension() -> None:
    with pytest.raises(Rejected, match="specversion"):
        happened(extensions={"specversion": "0.3"}).checked()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-05T12:00:00Z", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("2026-01-05t12:00:00z", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("2026-01-05T12:00:00.5+02:00", datetime(2026, 1, 5, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-05T12:00:00.123456789-05:30", datetime(2026, 1, 5, 17, 30, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_with_its_zone_and_kept_as_it_came(text: str, instant: datetime) -> None:
    event = Event.from_dict({**ENVELOPE, "time": text})

    assert event.time == instant
    assert event.to_dict()["time"] == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05",
        "2026-01-05T12:00:00",
        "2026-01-05 12:00:00Z",
        "2026-01-05T12:00Z",
        "2026-01-05T12:00:00+02",
        "20260105T120000Z",
        "2026-W02-1T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "٢026-01-05T12:00:00Z",
        "2026-01-05T12:00:00Z\n",
    ],
)
def test_a_time_that_is_not_of_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="RFC 3339"):
        Event.from_dict({**ENVELOPE, "time": text})


def test_a_time_is_written_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))

    assert happened(time=datetime(2026, 1, 5, 13, tzinfo=berlin)).to_dict()["time"] == "2026-01-05T12:00:00Z"


def test_a_time_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="time zone"):
        happened(time=datetime(2026, 1, 5))


def test_its_repr_names_it_and_shows_nothing_of_its_data() -> None:
    event = happened(subject="door", data={"password": "hunter2"}, extensions={"authid": "hunter3"})

    assert repr(event) == "<Event com.example.happened 'door' id='1' source='/tests'>"


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({}, None),
        ({"subject": "door"}, "door"),
        ({"subject": "door", "extensions": {"partitionkey": "7"}}, "7"),
        ({"subject": "door", "extensions": {"partitionkey": 7}}, "7"),
    ],
)
def test_it_is_ordered_by_its_partition_key_else_by_its_subject(attributes: dict[str, Any], key: str | None) -> None:
    assert happened(**attributes).key == key


def test_an_unread_event_is_read_once_when_something_is_asked_for() -> None:
    readings: list[str] = []

    def read(sample: str) -> Event:
        readings.append(sample)
        return SAMPLES[sample]

    event = Event.unread(read, "full")
    assert readings == []

    assert (event.id, event.subject, event.data) == ("1", "rooms/kitchen", {"a": 1})
    assert event == SAMPLES["full"]
    assert event.fresh() == event.replace() == event
    assert readings == ["full"]


def test_an_unread_event_that_is_none_says_so_when_it_is_settled() -> None:
    def read(text: str) -> Event:
        raise Rejected("not JSON", text)

    event = Event.unread(read, "$.detail")
    for _ in range(2):
        with pytest.raises(Rejected, match="not JSON"):
            event.settle()


def test_what_an_event_does_not_have_is_not_read_for() -> None:
    def read(asked: str) -> Event:
        raise AssertionError(asked)

    assert not hasattr(Event.unread(read, "nobody asked for anything an event has"), "anything")


def test_an_event_that_was_read_settles_at_once() -> None:
    assert SAMPLES["full"].settle() is SAMPLES["full"]
