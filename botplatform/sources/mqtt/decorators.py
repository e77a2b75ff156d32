"""What a plugin writes to listen to MQTT."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from botplatform.patterns.topics import Topic
from botplatform.subscription import F, Subscription, check_text, limits, subscribe

if TYPE_CHECKING:
    from typing import Unpack

    from botplatform.subscription import LimitsGiven


def topic(
    template: str,
    *,
    qos: Literal[0, 1, 2] = 1,
    payload: Literal["json", "raw"] = "json",
    schema: Any = None,
    id_field: str | None = None,
    id_property: str | None = None,
    **limited: Unpack[LimitsGiven],
) -> Callable[[F], F]:
    """Hear what is published to a topic: `sensors/{room}/temperature`, with `+` and `#` as in MQTT.

    `event.data` is the payload: a JSON value, or bytes with `payload="raw"`. With a `schema` (a TypedDict, a
    dataclass, `list[int]`, …) a payload of another shape is a dead letter that says why. `id_field` (a name in a JSON
    object) or `id_property` (an MQTT 5 user property) is where the device puts an id of its own for each message, so
    that even its own repetitions count once. Raises ValueError for a bad template.
    """
    check_text(template, 'mqtt.topic("sensors/{room}/temperature")')
    if qos not in (0, 1, 2):
        raise ValueError(f"qos is 0, 1 or 2, not {qos!r}")
    if payload not in ("json", "raw"):
        raise ValueError(f'payload is "json" or "raw", not {payload!r}')
    if payload == "raw" and (schema or id_field):
        raise ValueError('a raw payload has no schema and no id_field: leave out payload="raw"')
    return subscribe(
        Subscription(
            source="mqtt",
            summary=template,
            topic=Topic.parse(template),
            options={
                "qos": qos,
                "payload": payload,
                "schema": schema,
                "id_field": id_field,
                "id_property": id_property,
            },
            limits=limits(**limited),
        )
    )
