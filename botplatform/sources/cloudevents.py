"""CloudEvents: whatever any producer sends in the common envelope, structured, binary or in batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import JSON, Event
from botplatform.source import Raw, Source, quoted
from botplatform.subscription import F, Subscription, limits, subscribe

if TYPE_CHECKING:
    from typing import Unpack

    from botplatform.subscription import LimitsGiven

BATCH = "application/cloudevents-batch+json"
STRUCTURED = "application/cloudevents+json"
# RFC 7230, section 3.2.6: a quoted-string, and a quoted-pair in it.
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_ESCAPED = r"\\(.)"


def event(
    type_: str | None = None, matching: Mapping[str, Any] | None = None, **limited: Unpack[LimitsGiven]
) -> Callable[[F], F]:
    """Hear of events by their type (`com.example.order.created`).

    `matching` is an EventBridge pattern over the whole envelope: `{"source": [{"prefix": "/shop"}], "data": {…}}`.
    """
    pattern = dict(matching or {})
    if type_:
        pattern["type"] = [type_]
    if not pattern:
        raise ValueError("say which events: a type, or a pattern")
    summary = type_ or "events that match a pattern"
    return subscribe(Subscription("cloudevents", summary, pattern, limits=limits(**limited)))


def normalize(raw: Raw) -> Iterator[Event | Rejected]:
    """The events in an HTTP request in any of the three content modes, or in a file."""
    try:
        if "ce-specversion" in raw.headers and raw.media_type not in (BATCH, STRUCTURED):
            yield _binary(raw)
        else:
            yield from _structured(raw.read(codec.received), batch=raw.media_type == BATCH)
    except Rejected as rejected:
        yield rejected


def _structured(value: Any, batch: bool) -> Iterator[Event | Rejected]:
    if batch and not isinstance(value, list):
        raise Rejected("a batch is a list of events")
    if not isinstance(value, list):
        yield Event.from_dict(value)
        return
    for index, fields in enumerate(value):
        try:
            yield Event.from_dict(fields)
        except Rejected as rejected:
            yield Rejected(rejected.reason, ".".join(filter(None, (f"$[{index}]", rejected.where))))


def _binary(raw: Raw) -> Event:
    """An event whose attributes are headers (CloudEvents, "HTTP Protocol Binding" 3.1) and whose data is the body."""
    fields: dict[str, Any] = {
        name.removeprefix("ce-"): _header_text(value) for name, value in raw.headers.items() if name.startswith("ce-")
    }
    if {"data", "data_base64"} & fields.keys():
        raise Rejected("data is no attribute", "ce-data")
    media_type = raw.headers.get("content-type", "")
    event = Event.from_dict({**fields, "datacontenttype": media_type or None})
    if not raw.body:
        return event
    if raw.media_type == JSON or raw.media_type.endswith("+json"):
        codec.received(raw.body)
        return event.replace(data_json=raw.body)
    return event.replace(data=raw.body)


def _header_text(value: str) -> str:
    """An attribute as it was before it became a header (CloudEvents, "HTTP Protocol Binding" 3.1.3.2)."""
    from urllib.parse import unquote

    quoted = re.fullmatch(_QUOTED, value)
    return unquote(re.sub(_ESCAPED, r"\1", quoted[1]) if quoted else value, errors="replace")


def recognizes(value: Any) -> bool:
    """Whether a decoded value is an event in the common envelope, or a batch of them."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and "specversion" in first


def suggest(event: Event) -> str:
    """The handler one would write for this event."""
    return f"@cloudevents.event({quoted(event.type)})\ndef notice(event: Event, ctx: Context) -> None:\n    ..."


SOURCE = Source(
    name="cloudevents",
    recognizes=recognizes,
    normalize=normalize,
    suggest=suggest,
    owns=lambda _: False,  # whatever no other source owns is this one's
)
