"""Ticks of the clock as events, and what a plugin may ask of the clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from botplatform import schedule
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.source import Raw
from botplatform.sources.schedule.source import to_event
from botplatform.subscription import subscriptions_of

SOURCE = schedule.SOURCE
SEVEN = datetime(2026, 1, 5, 7, tzinfo=ZoneInfo("Europe/Berlin"))
TICK = {
    "specversion": "1.0",
    "id": "digest.post@2026-01-05T06:00:00Z",
    "source": "urn:botplatform:schedule",
    "type": "dev.botplatform.tick",
    "subject": "digest.post",
    "time": "2026-01-05T06:00:00Z",
    "datacontenttype": "application/json",
    "data": {"schedule": "digest.post", "time": "2026-01-05T06:00:00Z"},
}


def normalized(written: Any) -> Event | Rejected:
    (found,) = SOURCE.normalize(Raw(json.dumps(written).encode()))
    return found


def test_a_tick_is_known_by_its_schedule_and_the_instant_it_was_due() -> None:
    assert to_event("digest.post", SEVEN).checked().to_dict() == TICK


def test_every_machine_makes_the_same_event_of_a_tick_whatever_its_zone() -> None:
    assert to_event("digest.post", SEVEN) == to_event("digest.post", SEVEN.astimezone(UTC))


@pytest.mark.parametrize(
    "time", ["2026-01-05T06:00:00Z", "2026-01-05T07:00:00+01:00", "2026-01-05 06:00+00:00", "20260105T060000Z"]
)
def test_a_tick_written_down_is_that_tick(time: str) -> None:
    event = normalized({"schedule": "digest.post", "time": time})
    assert isinstance(event, Event)
    assert event.to_dict() == TICK


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ([], 'no tick: it wants {"schedule": …, "time": …}'),
        ({"schedule": "digest.post"}, 'no tick: it wants {"schedule": …, "time": …}'),
        ({"schedule": "", "time": "2026-01-05T06:00:00Z"}, 'no tick: it wants {"schedule": …, "time": …}'),
        ({"schedule": 7, "time": "2026-01-05T06:00:00Z"}, 'no tick: it wants {"schedule": …, "time": …}'),
        ({"schedule": "digest.post", "time": "seven"}, "time: 'seven' is no ISO 8601 time"),
        ({"schedule": "digest.post", "time": 7}, "time: 7 is no ISO 8601 time"),
        (
            {"schedule": "digest.post", "time": "2026-01-05T07:00:00"},
            "time: '2026-01-05T07:00:00' has no time zone: end it with Z",
        ),
        (
            {"schedule": "digest.post", "time": "0001-01-01T00:00:00+14:00"},
            "time: '0001-01-01T00:00:00+14:00' is out of the range of years, 1 to 9999",
        ),
    ],
)
def test_what_is_no_tick_is_refused_with_the_reason(written: Any, reason: str) -> None:
    refused = normalized(written)
    assert isinstance(refused, Rejected)
    assert str(refused) == reason


def test_a_handler_is_named_after_its_plugin_and_itself() -> None:
    @schedule.on("cron(0 7 ? * MON-FRI *)", timezone="Europe/Berlin", missed="last")
    def post() -> None: ...

    (subscription,) = subscriptions_of(post)
    assert subscription.options["name"] == f"{__name__.rpartition('.')[2]}.post"
    assert subscription.options["missed"] == "last"
    assert subscription.summary == "cron(0 7 ? * MON-FRI *) Europe/Berlin"


def test_a_rate_needs_no_zone_in_its_summary() -> None:
    (subscription,) = subscriptions_of(schedule.on("rate(5 minutes)")(lambda: None))
    assert subscription.summary == "rate(5 minutes)"


def test_what_to_do_about_missed_ticks_is_one_of_three() -> None:
    missed: Any = "never"
    with pytest.raises(ValueError, match=r'^missed is "skip", "last" or "all", not \'never\'$'):
        schedule.on("rate(5 minutes)", missed=missed)


def test_the_handler_one_would_write_is_suggested() -> None:
    assert SOURCE.suggest(to_event("digest.post", SEVEN)).splitlines()[1].startswith("def post(")
