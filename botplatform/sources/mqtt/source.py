"""MQTT messages as events: the topic is the subject, the payload the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from botplatform import codec
from botplatform.attributes import rfc3339
from botplatform.effect import CHAIN_PROPERTY
from botplatform.errors import Rejected
from botplatform.event import JSON, UNDECODED, Event, Extensions
from botplatform.router import MQTT_MESSAGE
from botplatform.source import Raw, Source, quoted, text_at
from botplatform.sources.mqtt.message import Message
from botplatform.subscription import Subscription
from botplatform.work import CHAIN

TOPICS: Final = 4096
"""So many topics are remembered with what follows from them."""
# Names of handlers, as `work.chain_of` reads them; anything else is not ours.
_CHAIN = r"[\w.]+( [\w.]+)*"


def to_event(message: Message, id: str, broker: str, time: datetime | str | None = None) -> Event:
    """The event of a message as a client received it; `broker` names the broker, without credentials.

    `time` is when it came (aware, or RFC 3339).

    Which handlers led to it, if it says so, is in its extension `handlerchain`.
    """
    topic, payload, instant = message.topic, message.payload, rfc3339(time) if isinstance(time, datetime) else time
    extensions = _extensions(topic, message.qos, message.retain)
    if message.properties:
        extensions = MappingProxyType({**extensions, **_chain(message.properties)})
    if codec.is_json(payload):
        return Event.of_record(id, broker, MQTT_MESSAGE, topic, instant, UNDECODED, extensions, payload)
    return Event(
        id=id,
        source=broker,
        type=MQTT_MESSAGE,
        subject=topic,
        time=instant,
        data=payload,
        datacontenttype="application/octet-stream",
        extensions=extensions,
    )


@lru_cache(TOPICS)
def _extensions(topic: str, qos: int, retain: bool) -> Extensions:
    """Those that events of a topic share, for they are not to be changed."""
    return MappingProxyType({"mqttqos": qos, "mqttretain": retain, "partitionkey": topic})


def _chain(properties: tuple[tuple[str, str], ...]) -> dict[str, str]:
    chain = dict(properties).get(CHAIN_PROPERTY, "")
    return {CHAIN: chain} if re.fullmatch(_CHAIN, chain) else {}


def own_id(message: Message, subscriptions: Iterable[Subscription]) -> str | None:
    """The id the device itself gave the message, where a subscription to its topic says where to look."""
    for subscription in subscriptions:
        field, name = subscription.options["id_field"], subscription.options["id_property"]
        if (field or name) and subscription.topic and subscription.topic.match(message.topic) is not None:
            found = _field(message.payload, field) if field else dict(message.properties).get(name)
            if found:
                return f"{message.topic}#{found}"
    return None


def identify(event: Event, known: Sequence[Subscription]) -> Event:
    """The event under the id its device wrote into the payload, where a subscription says in which field."""
    payload = event.data if event.is_binary else event.data_json
    own = own_id(Message(event.subject or "", payload, 0, False, False, 0), known)
    return event.replace(id=own) if own else event


def _field(payload: bytes, name: str) -> str | None:
    try:
        value = codec.decode(payload)
    except Rejected:
        return None
    found = value.get(name) if isinstance(value, dict) else None
    return str(found) if isinstance(found, str | int) else None


def normalize(raw: Raw) -> Iterator[Event | Rejected]:
    """The event of one message written down as JSON: `{"topic": …, "payload": …, "qos": 1, "retain": false}`.

    A text payload is sent as it is, `payload_base64` holds bytes, any other value is sent as JSON. A rule of AWS IoT
    Core writes its own `id` and `timestamp` (milliseconds since 1970) beside them, and a list of the `chain`s that were
    published with it; else the id of the message it came in counts (the header `message-id`), and without one, the
    content.
    """
    try:
        value = codec.received(raw.body)
        message = read(value)
        own, carrier = text_at(value, "id"), raw.headers.get("message-id")
        origin = "urn:aws:iot" if own else "urn:mqtt:file"
        yield to_event(message, own or carrier or _id_of_content(message), origin, _instant(value.get("timestamp")))
    except Rejected as rejected:
        yield rejected


def _instant(milliseconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds is not None else None
    except (TypeError, ValueError, OverflowError, OSError):
        raise Rejected("no time in milliseconds since 1970", "timestamp") from None


def _id_of_content(message: Message) -> str:
    from hashlib import sha256

    return "sha256-" + sha256(message.topic.encode() + b"\0" + message.payload).hexdigest()[:32]


def read(value: Any) -> Message:
    """The message that a decoded file describes; raises Rejected."""
    if not recognizes(value):
        raise Rejected('no MQTT message: it wants {"topic": …, "payload": …}')
    topic, qos = value["topic"], value.get("qos", 0)
    if not isinstance(topic, str) or not topic or any(mark in topic for mark in "+#\0"):
        raise Rejected(f"{topic!r} is no topic to publish to", "topic")
    if type(qos) is not int or qos not in (0, 1, 2):
        raise Rejected(f"qos is {qos!r}, wanted 0, 1 or 2", "qos")
    properties = value.get("properties") or {}
    if not isinstance(properties, dict):
        raise Rejected(f"properties is {type(properties).__name__}, wanted an object", "properties")
    chains = value.get("chain") or []
    chain = {CHAIN_PROPERTY: chains[-1]} if isinstance(chains, list) and chains else {}
    user_properties = tuple((name, str(text)) for name, text in (properties | chain).items())
    return Message(topic, _payload(value), qos, bool(value.get("retain")), False, 0, user_properties)


def _payload(value: dict[str, Any]) -> bytes:
    if "payload_base64" not in value:
        payload = value["payload"]
        return payload.encode() if isinstance(payload, str) else codec.encode(payload)
    return codec.from_base64(value["payload_base64"], "payload_base64")


def recognizes(value: Any) -> bool:
    """Whether a decoded record is a message written down."""
    return isinstance(value, dict) and "topic" in value and ("payload" in value or "payload_base64" in value)


def prepare(event: Event, subscription: Subscription) -> Event:
    """The event with its payload as the subscription wants it; raises Rejected when it is not of that kind."""
    options = subscription.options
    if options["payload"] == "raw":
        if event.is_binary:
            return event
        return event.replace(data=event.data_json, data_json=None, datacontenttype="application/octet-stream")
    if event.is_binary:
        try:
            event = event.replace(data=codec.decode(event.data), datacontenttype=JSON)
        except Rejected as rejected:
            raise Rejected(f"the payload on {event.subject} is {rejected}") from None
    misfit = codec.misfit(event.data, options["schema"]) if options["schema"] else None
    if misfit:
        raise Rejected(f"the payload on {event.subject} does not fit its schema: {misfit}")
    return event


def suggest(event: Event) -> str:
    """The handler one would write for this event."""
    levels = (event.subject or "").split("/")
    template = "/".join([*levels[:1], "{name}", *levels[2:]]) if len(levels) > 1 else levels[0]
    return f"@mqtt.topic({quoted(template)})\ndef remember(event: Event, ctx: Context) -> None:\n    ..."


SOURCE = Source(
    name="mqtt",
    recognizes=recognizes,
    normalize=normalize,
    suggest=suggest,
    owns=lambda event: event.type == MQTT_MESSAGE,
    identify=identify,
    prepare=prepare,
)
