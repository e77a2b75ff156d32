"""MQTT messages become events, and payloads what a subscription wants them to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

import pytest

from botplatform import codec, mqtt
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.source import Raw
from botplatform.sources.mqtt.message import Message
from botplatform.sources.mqtt.source import own_id, prepare, read, to_event
from botplatform.subscription import Subscription, subscriptions_of

SOURCE = mqtt.SOURCE
TOPIC = "sensors/kitchen/temperature"


class Reading(TypedDict):
    celsius: float


@dataclass
class Position:
    lat: float
    lon: float


def message(payload: bytes = b"{}", topic: str = TOPIC, properties: tuple[tuple[str, str], ...] = ()) -> Message:
    return Message(topic, payload, qos=1, retain=False, duplicate=False, packet_id=7, properties=properties)


def event_of(payload: bytes) -> Event:
    return to_event(message(payload), "id-1", "mqtt://broker:1883")


def topic(template: str = "sensors/{room}/temperature", **options: Any) -> Subscription:
    decorate: Callable[[Any], Any] = mqtt.topic(template, **options)
    return subscriptions_of(decorate(lambda: None))[0]


def normalized(written: Any) -> Event | Rejected:
    (found,) = SOURCE.normalize(Raw(json.dumps(written).encode()))
    return found


# The envelope


def test_a_message_becomes_an_event_with_its_topic_for_a_subject_and_an_order() -> None:
    event = to_event(message(b'{"celsius": 21.50}'), "id-1", "mqtt://broker:1883", datetime(2026, 1, 5, tzinfo=UTC))
    assert event.checked().to_dict() == {
        "specversion": "1.0",
        "id": "id-1",
        "source": "mqtt://broker:1883",
        "type": "org.mqtt.message",
        "subject": TOPIC,
        "time": "2026-01-05T00:00:00Z",
        "datacontenttype": "application/json",
        "mqttqos": 1,
        "mqttretain": False,
        "partitionkey": TOPIC,
        "data": {"celsius": 21.5},
    }
    assert event.data_json == b'{"celsius": 21.50}'


@pytest.mark.parametrize(
    ("written", "chain"),
    [
        ("lamp.light door.open", "lamp.light door.open"),
        ("", None),
        ("lamp.light\nforged: yes", None),
        ("lamp.light  door.open", None),
        ("\x01", None),
    ],
)
def test_the_handlers_that_led_to_a_message_are_known_where_it_says_so(written: str, chain: str | None) -> None:
    sent = message(properties=(("botplatform-chain", written), ("unit", "C")))
    assert to_event(sent, "id-1", "mqtt://broker:1883").extensions.get("handlerchain") == chain


@pytest.mark.parametrize(("given", "chain"), [(["a.b c.d"], "a.b c.d"), ([], None), ("a.b", None), ([7.5, {}], None)])
def test_a_rule_tells_of_the_handlers_that_led_to_a_message(given: object, chain: str | None) -> None:
    event = normalized({"topic": TOPIC, "payload": "", "chain": given})
    assert isinstance(event, Event)
    assert event.extensions.get("handlerchain") == chain


@pytest.mark.parametrize(("payload", "data"), [(b"21.5", 21.5), (b'"on"', "on"), (b"null", None), (b" [1] ", [1])])
def test_a_payload_that_is_json_is_its_value(payload: bytes, data: Any) -> None:
    assert (event_of(payload).data, event_of(payload).datacontenttype) == (data, "application/json")


@pytest.mark.parametrize("payload", [b"", b"on", b"ERR 7", b"\x00\xff", b"{", b"NaN"])
def test_any_other_payload_is_bytes(payload: bytes) -> None:
    event = event_of(payload)
    assert (event.data, event.datacontenttype) == (payload, "application/octet-stream")


# Payloads as a subscription wants them


def test_json_is_handed_on_as_it_is() -> None:
    event = event_of(b'{"celsius": 21.5}')
    assert prepare(event, topic()) is event


def test_a_payload_is_not_decoded_for_a_handler_that_may_not_look_at_it() -> None:
    event = event_of(b"21.5").replace(data_json=b"no JSON")
    assert prepare(event, topic()) is event


@pytest.mark.parametrize("payload", [b'{ "celsius": 21.50 }', b"on", b"\x00\xff", b""])
def test_a_raw_payload_is_the_bytes_as_they_came(payload: bytes) -> None:
    event = prepare(event_of(payload), topic(payload="raw"))
    assert (event.data, event.datacontenttype) == (payload, "application/octet-stream")


@pytest.mark.parametrize("payload", [b"ERR 7", b"\x00\xff", b""])
def test_a_payload_that_is_no_json_is_refused_where_json_is_wanted(payload: bytes) -> None:
    event = event_of(payload)
    with pytest.raises(Rejected, match=rf"^the payload on {TOPIC} is not JSON: "):
        prepare(event, topic())


def test_json_sent_as_bytes_is_json() -> None:
    """As a CloudEvents producer may write it."""
    event = prepare(event_of(b"").replace(data=b'{"celsius": 21.5}'), topic(schema=Reading))
    assert (event.data, event.datacontenttype) == ({"celsius": 21.5}, "application/json")


def test_json_with_another_content_type_is_json() -> None:
    event = event_of(b"").replace(data={"celsius": 21.5}, datacontenttype="text/json")
    assert prepare(event, topic(schema=Reading)).data == {"celsius": 21.5}


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        (Reading, b'{"celsius": 21}'),
        (Reading, b'{"celsius": 21.5, "battery": 80}'),
        (Position, b'{"lat": 52.5, "lon": 13.4}'),
        (list[int], b"[1, 2]"),
        (float, b"21.5"),
        (int | None, b"null"),
    ],
)
def test_a_payload_of_the_shape_of_its_schema_is_taken(schema: Any, payload: bytes) -> None:
    assert prepare(event_of(payload), topic(schema=schema)).data == json.loads(payload)


@pytest.mark.parametrize(
    ("schema", "payload", "reason"),
    [
        (Reading, b'{"celsius": "warm"}', "Expected `float`, got `str` - at `$.celsius`"),
        (Reading, b"{}", "Object missing required field `celsius`"),
        (Reading, b"21.5", "Expected `object`, got `float`"),
        (Position, b'{"lat": 52.5}', "Object missing required field `lon`"),
        (list[int], b"[1, 2.5]", "Expected `int`, got `float` - at `$[1]`"),
    ],
)
def test_a_payload_of_another_shape_is_refused_with_the_place(schema: Any, payload: bytes, reason: str) -> None:
    event, subscription = event_of(payload), topic(schema=schema)
    with pytest.raises(Rejected) as refused:
        prepare(event, subscription)
    assert str(refused.value) == f"the payload on {TOPIC} does not fit its schema: {reason}"


# Ids of the devices' own


@pytest.mark.parametrize(
    ("subscription", "sent", "id"),
    [
        (topic(id_field="seq"), message(b'{"seq": 7}'), f"{TOPIC}#7"),
        (topic(id_field="seq"), message(b'{"seq": "a-7"}'), f"{TOPIC}#a-7"),
        (topic(id_field="seq"), message(b'{"seq": 0}'), f"{TOPIC}#0"),
        (topic(id_field="seq"), message(b'{"seq": ""}'), None),
        (topic(id_field="seq"), message(b'{"seq": 1.5}'), None),
        (topic(id_field="seq"), message(b"{}"), None),
        (topic(id_field="seq"), message(b"[7]"), None),
        (topic(id_field="seq"), message(b"ERR 7"), None),
        (topic(id_property="id"), message(properties=(("unit", "C"), ("id", "m-1"))), f"{TOPIC}#m-1"),
        (topic(id_property="id"), message(), None),
        (topic(id_property="id"), message(properties=(("id", ""),)), None),
        (topic("locks/{door}", id_field="seq"), message(b'{"seq": 7}'), None),
        (topic(), message(b'{"seq": 7}'), None),
    ],
)
def test_a_device_that_numbers_its_messages_is_believed(
    subscription: Subscription, sent: Message, id: str | None
) -> None:
    assert own_id(sent, [topic(), subscription]) == id


# Messages written down


def test_a_message_written_down_is_the_same_event_each_time() -> None:
    written = {"topic": TOPIC, "payload": {"celsius": 21.5}, "qos": 1, "retain": True}
    event, again = normalized(written), normalized(written)
    assert isinstance(event, Event)
    assert (event.subject, event.data, event.source) == (TOPIC, {"celsius": 21.5}, "urn:mqtt:file")
    assert event.extensions["mqttretain"] is True
    assert event == again
    assert event.id != normalized({**written, "payload": {"celsius": 21.6}}).id  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        ({"payload": "on"}, b"on"),
        ({"payload": {"celsius": 21.5}}, b'{"celsius":21.5}'),
        ({"payload": None}, b"null"),
        ({"payload": ""}, b""),
        ({"payload_base64": "AP8="}, b"\x00\xff"),
    ],
)
def test_text_is_sent_as_it_is_and_any_other_value_as_json(payload: dict[str, Any], sent: bytes) -> None:
    assert read({"topic": TOPIC, **payload}).payload == sent


def test_user_properties_are_sent_along() -> None:
    written = {"topic": TOPIC, "payload": "", "properties": {"id": "m-1", "try": 2}}
    assert read(written).properties == (("id", "m-1"), ("try", "2"))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ([], 'no MQTT message: it wants {"topic": …, "payload": …}'),
        ({"topic": TOPIC}, 'no MQTT message: it wants {"topic": …, "payload": …}'),
        ({"topic": "", "payload": ""}, "topic: '' is no topic to publish to"),
        ({"topic": 7, "payload": ""}, "topic: 7 is no topic to publish to"),
        ({"topic": "sensors/+/temperature", "payload": ""}, "topic: 'sensors/+/temperature' is no topic to publish to"),
        ({"topic": "a\0", "payload": ""}, "topic: 'a\\x00' is no topic to publish to"),
        ({"topic": TOPIC, "payload": "", "qos": 3}, "qos: qos is 3, wanted 0, 1 or 2"),
        ({"topic": TOPIC, "payload": "", "qos": "1"}, "qos: qos is '1', wanted 0, 1 or 2"),
        ({"topic": TOPIC, "payload": "", "qos": True}, "qos: qos is True, wanted 0, 1 or 2"),
        ({"topic": TOPIC, "payload": "", "qos": 1.0}, "qos: qos is 1.0, wanted 0, 1 or 2"),
        ({"topic": TOPIC, "payload": "", "properties": ["id"]}, "properties: properties is list, wanted an object"),
        ({"topic": TOPIC, "payload_base64": "*"}, "payload_base64: payload_base64 is no base64"),
        ({"topic": TOPIC, "payload_base64": 7}, "payload_base64: payload_base64 is no base64"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(written: Any, reason: str) -> None:
    refused = normalized(written)
    assert isinstance(refused, Rejected)
    assert str(refused) == reason


# What a plugin may ask for


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"qos": 3}, "qos is 0, 1 or 2, not 3"),
        ({"payload": "text"}, 'payload is "json" or "raw", not \'text\''),
        ({"payload": "raw", "schema": Reading}, 'a raw payload has no schema and no id_field: leave out payload="raw"'),
        ({"payload": "raw", "id_field": "id"}, 'a raw payload has no schema and no id_field: leave out payload="raw"'),
    ],
)
def test_a_subscription_that_contradicts_itself_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        topic(**options)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("name", "decorator"),
    [
        (TOPIC, '@mqtt.topic("sensors/{name}/temperature")'),
        ("doorbell", '@mqtt.topic("doorbell")'),
    ],
)
def test_the_handler_one_would_write_is_suggested(name: str, decorator: str) -> None:
    event = to_event(message(topic=name), "id-1", "mqtt://broker:1883")
    assert SOURCE.suggest(event).splitlines()[0] == decorator


# As a rule of AWS IoT Core writes a message down.


def ruled(**fields: object) -> list[Event | Rejected]:
    message = {"topic": "sensors/attic", "payload_base64": "MjE=", "id": "of the rule", **fields}
    return list(SOURCE.normalize(Raw(codec.encode(message), {"message-id": "of the queue"})))


def test_a_rule_gives_a_message_its_id_and_time() -> None:
    (event,) = ruled(timestamp=1767614400123)

    assert isinstance(event, Event)
    assert (event.source, event.id, event.data) == ("urn:aws:iot", "of the rule", 21)
    assert event.to_dict()["time"] == "2026-01-05T12:00:00.123000Z"


def test_without_an_id_that_of_the_message_it_came_in_counts() -> None:
    (event,) = ruled(id=None)

    assert isinstance(event, Event)
    assert event.id == "of the queue"


@pytest.mark.parametrize("timestamp", ["noon", 1e300, [1]])
def test_a_timestamp_that_is_none_is_rejected(timestamp: object) -> None:
    (rejected,) = ruled(timestamp=timestamp)

    assert str(rejected) == "timestamp: no time in milliseconds since 1970"


def test_an_id_of_the_devices_own_is_found_in_the_payload_by_name() -> None:
    subscription = subscriptions_of(mqtt.topic("sensors/{room}", id_field="number")(lambda: None))[0]
    (event,) = ruled(payload_base64="eyJudW1iZXIiOiA3fQ==")  # {"number": 7}
    assert isinstance(event, Event)

    assert SOURCE.identify(event, [subscription]).id == "sensors/attic#7"
    assert SOURCE.identify(event, []).id == "of the rule"
