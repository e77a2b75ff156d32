"""A clock that is set an hour back or forward, and over the changes of daylight saving time, under a whole platform."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from botplatform.hosts.local.platform import Platform
from tests.faults.load import post
from tests.hosts.local.running import configured, state, written
from tests.mosquitto import eventually

PLUGIN = '''"""Counts ticks, and events, whose first try comes too early."""

from botplatform import Context, Event, Retry, cloudevents, schedule

TRIED = set()


@schedule.on("cron(* * * * ? *)")
def each_minute(event: Event, ctx: Context) -> None:
    ctx.state.add(f"minute {event.data['time']}")


@schedule.on("cron(30 2 * * ? *)", timezone="Europe/Berlin")
def each_night(event: Event, ctx: Context) -> None:
    ctx.state.add("nights")


@cloudevents.event("com.example.posted")
def take(event: Event, ctx: Context) -> None:
    if event.data not in TRIED:
        TRIED.add(event.data)
        raise Retry("too early", after=0.2)
    ctx.state.add(f"posted {event.data}")
'''


class Time:
    """The time, where nothing moves it but the test."""

    def __init__(self, instant: str) -> None:
        self.is_(instant)

    def __call__(self) -> float:
        return self._now

    def is_(self, instant: str) -> None:
        """Make it another time."""
        self._now = datetime.fromisoformat(instant).timestamp()


@pytest.fixture
def time() -> Time:
    return Time("2026-03-28T12:00:30Z")


@pytest.fixture
def platform(tmp_path: Path, time: Time) -> Iterator[Platform]:
    folder = written(tmp_path, {"counter": PLUGIN})
    platform = Platform(configured(tmp_path), [folder], time, entry_points=False)
    try:
        platform.start()
        eventually(lambda: platform.clock._position)
        yield platform
    finally:
        platform.stop()


def counted(platform: Platform) -> dict[str, Any]:
    return state(platform, "counter")


@pytest.mark.parametrize(
    ("jump", "next_minute"),
    [("2026-03-28T11:01:10Z", "2026-03-28T12:02:10Z"), ("2026-03-28T13:01:10Z", "2026-03-28T13:02:10Z")],
    ids=["back", "forward"],
)
def test_a_clock_that_jumps_an_hour_doubles_nothing_and_holds_nothing_up(
    platform: Platform, time: Time, jump: str, next_minute: str
) -> None:
    time.is_("2026-03-28T12:01:10Z")
    eventually(lambda: "minute 2026-03-28T12:01:00Z" in counted(platform))
    assert post(platform.url, 1).status == 202
    time.is_(jump)
    eventually(lambda: "posted 1" in counted(platform))
    assert post(platform.url, 1).status == 202
    time.is_(next_minute)
    eventually(lambda: f"minute {next_minute[:17]}00Z" in counted(platform))

    assert set(counted(platform).values()) == {1}


def test_over_the_changes_of_daylight_saving_time_a_night_ticks_once_or_is_skipped(
    platform: Platform, time: Time
) -> None:
    # 2:30 does not exist on 29 March 2026 in Berlin, and exists twice on 25 October.
    for instant in ("2026-03-29T00:59:50Z", "2026-03-29T01:00:10Z", "2026-03-29T01:30:10Z"):
        after(platform, time, instant)
    assert "nights" not in counted(platform)
    for instant in ("2026-10-25T00:29:50Z", "2026-10-25T00:30:10Z", "2026-10-25T01:30:10Z"):
        after(platform, time, instant)
    assert counted(platform)["nights"] == 1


def after(platform: Platform, time: Time, instant: str) -> None:
    """Make it another time, and wait until the clock has seen it."""
    time.is_(instant)
    minute = f"minute {instant[:17]}00Z"
    eventually(lambda: minute in counted(platform))
