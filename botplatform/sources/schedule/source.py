"""Ticks of the clock as events: a schedule's name and the time it was due make the id."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.source import Raw, Source
from botplatform.subscription import Subscription

TICK = "dev.botplatform.tick"


def to_event(name: str, due: datetime) -> Event:
    """The tick of a schedule (`plugin.function`) at an instant; every machine makes the same event of it."""
    time = due.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return Event(
        id=f"{name}@{time}",
        source="urn:botplatform:schedule",
        type=TICK,
        subject=name,
        time=time,
        data={"schedule": name, "time": time},
    )


def normalize(raw: Raw) -> Iterator[Event | Rejected]:
    """The event of one tick written down as JSON: `{"schedule": "morning_digest.send", "time": "2026-…Z"}`."""
    try:
        value = codec.decode(raw.body)
        if not recognizes(value) or not isinstance(value["schedule"], str) or not value["schedule"]:
            raise Rejected('no tick: it wants {"schedule": …, "time": …}')
        yield to_event(value["schedule"], _instant(value["time"]))
    except Rejected as rejected:
        yield rejected


def _instant(text: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Rejected(f"{text!r} is no ISO 8601 time", "time") from None
    if instant.tzinfo is None:
        raise Rejected(f"{text!r} has no time zone: end it with Z", "time")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise Rejected(f"{text!r} is out of the range of years, 1 to 9999", "time") from None


def recognizes(value: Any) -> bool:
    """Whether a decoded record is a tick written down."""
    return isinstance(value, dict) and "schedule" in value and "time" in value


def check(subscription: Subscription) -> None:
    """Raise ScheduleError for an expression or a time zone that cannot be used."""
    from botplatform.sources.schedule.expression import parse

    parse(*subscription.options["schedule"])


def suggest(event: Event) -> str:
    """The handler one would write for this event."""
    from keyword import iskeyword

    name = (event.subject or "").rpartition(".")[2]
    function = name if name.isidentifier() and not iskeyword(name) else "run"
    decorator = '@schedule.on("cron(0 7 * * ? *)", timezone="Europe/Berlin")'
    return f"{decorator}\ndef {function}(event: Event, ctx: Context) -> None:\n    ..."


SOURCE = Source(
    name="schedule",
    recognizes=recognizes,
    normalize=normalize,
    suggest=suggest,
    owns=lambda event: event.type == TICK,
    check=check,
)
