"""What the clock hands over, by a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from botplatform.errors import Overloaded
from botplatform.hosts.local.platform import Platform
from botplatform.router import Router
from botplatform.store import StateKey, Value, Write
from botplatform.stores.sqlite.inbox import Waiting
from tests.handlers import happened
from tests.hosts.local.running import configured, state, written
from tests.mosquitto import eventually

PLUGIN = '''"""Notes each tick."""

from botplatform import Context, Event, schedule


@schedule.on({expression!r}, timezone={timezone!r}, missed={missed!r})
def run(event: Event, ctx: Context) -> None:
    ctx.state.append("ticks", event.data["time"])
'''


class Time:
    """The time, where nothing moves it but the test."""

    def __init__(self) -> None:
        self.now = datetime.fromisoformat("2026-01-05T12:00:00Z")

    def __call__(self) -> float:
        return self.now.timestamp()

    def is_(self, instant: str) -> None:
        """Make it another time."""
        self.now = datetime.fromisoformat(instant)

    def passes(self, **duration: float) -> None:
        """Move on."""
        self.now += timedelta(**duration)


@pytest.fixture
def time() -> Time:
    return Time()


Start = Callable[..., Platform]


@pytest.fixture
def start(tmp_path: Path, time: Time) -> Iterator[Start]:
    """Has a platform look at a schedule for the first time; nothing but its clock runs, and that only when asked.

    Starting again stops the platform before and goes on with its state.
    """
    with ExitStack() as running:

        def start(expression: str, timezone: str = "UTC", missed: str = "skip", **limits: str) -> Platform:
            running.close()
            folder = written(tmp_path, {"tick": PLUGIN.format(**locals())})
            settings = configured(tmp_path, **limits)
            platform = Platform(settings, [folder], time, entry_points=False)
            running.callback(platform.stop)
            platform.dispatcher.router = Router(platform.plugins.handlers)
            platform.clock.look()
            return platform

        yield start


def ticks(platform: Platform) -> list[Any]:
    """What the handler has seen, once the clock has looked again."""
    platform.clock.look()
    eventually(lambda: not platform.busy())
    return list(state(platform, "tick").get("ticks", []))


def test_a_schedule_runs_when_it_is_due_and_once(start: Start, time: Time) -> None:
    platform = start("cron(1 12 * * ? *)")
    time.passes(seconds=59)
    assert ticks(platform) == []
    time.passes(seconds=1)
    assert ticks(platform) == ["2026-01-05T12:01:00Z"]
    time.passes(seconds=30)
    assert ticks(platform) == ["2026-01-05T12:01:00Z"]


def test_what_is_old_is_forgotten_by_the_hour(start: Start, time: Time) -> None:
    platform = start("cron(1 12 5 1 ? *)")
    time.passes(minutes=1)
    assert ticks(platform) == ["2026-01-05T12:01:00Z"]
    time.passes(days=6)
    platform.clock.look()
    assert len(platform.store.log.events()) == 1
    time.passes(days=2)
    platform.clock.look()
    assert platform.store.log.events() == []


def test_a_new_schedule_starts_now(start: Start, time: Time) -> None:
    platform = start("rate(1 minute)", missed="all")
    assert ticks(platform) == []
    time.passes(minutes=1)
    assert ticks(platform) == ["2026-01-05T12:01:00Z"]


@pytest.mark.parametrize(
    ("missed", "caught_up", "skipped"),
    [
        ("skip", [], 3),
        ("last", ["2026-01-05T15:00:00Z"], 2),
        ("all", ["2026-01-05T13:00:00Z", "2026-01-05T14:00:00Z", "2026-01-05T15:00:00Z"], 0),
    ],
)
def test_ticks_that_fell_into_a_downtime_are_treated_as_declared(
    start: Start, time: Time, missed: str, caught_up: list[str], skipped: int
) -> None:
    start("rate(1 hour)", missed=missed)
    time.passes(hours=3, minutes=30)
    platform = start("rate(1 hour)", missed=missed)
    assert ticks(platform) == caught_up
    assert platform.dispatcher.counts["ticks skipped after a downtime"] == skipped
    time.passes(minutes=30)
    assert ticks(platform) == [*caught_up, "2026-01-05T16:00:00Z"]


def test_a_tick_a_little_late_is_not_missed(start: Start, time: Time) -> None:
    start("rate(1 hour)", missed="skip")
    time.passes(hours=1, seconds=59)
    assert ticks(start("rate(1 hour)", missed="skip")) == ["2026-01-05T13:00:00Z"]


@pytest.mark.parametrize("minutes", [0.5, 3, 90])
def test_a_tick_there_is_no_room_for_waits_however_long_and_is_none_that_was_missed(
    start: Start, time: Time, minutes: float
) -> None:
    platform = start("rate(1 hour)", missed="skip", BOTPLATFORM_INBOX_LIMIT="2")
    time.passes(minutes=59, seconds=50)
    platform.clock.look()
    for id in ("dead", "buried"):
        platform.dispatcher.give_up(Waiting(happened(id), "gone.handler", 5, 0.0))
    time.passes(seconds=10)
    for _ in range(int(minutes * 6)):
        with pytest.raises(Overloaded):
            platform.clock.look()
        time.passes(seconds=10)
    platform.store.inbox.drop([letter.number for letter in platform.store.inbox.dead_letters()])
    eventually(lambda: platform.dispatcher.levels()["inbox"]["now"] == 0)

    due = ["2026-01-05T13:00:00Z", "2026-01-05T14:00:00Z"] if minutes > 60 else ["2026-01-05T13:00:00Z"]
    assert ticks(platform) == due
    assert platform.dispatcher.counts["ticks skipped after a downtime"] == 0


def test_a_schedule_that_comes_back_has_its_downtime_though_the_platform_had_none(start: Start, time: Time) -> None:
    platform = start("rate(1 hour)", missed="skip")
    router, platform.dispatcher.router = platform.dispatcher.router, Router()
    for _ in range(4):
        time.passes(minutes=50)
        platform.clock.look()
    platform.dispatcher.router = router

    assert ticks(platform) == []
    assert platform.dispatcher.counts["ticks skipped after a downtime"] == 3


def test_of_a_very_long_downtime_the_latest_ticks_are_caught_up_with(start: Start, time: Time) -> None:
    start("rate(1 minute)", missed="all")
    time.passes(days=2)
    caught_up = ticks(start("rate(1 minute)", missed="all"))
    assert (len(caught_up), caught_up[-1]) == (1000, "2026-01-07T12:00:00Z")


def test_a_schedule_with_other_times_has_missed_nothing(start: Start, time: Time) -> None:
    start("cron(0 12 * * ? *)", missed="all")
    time.passes(hours=3)
    platform = start("rate(1 hour)", missed="all")
    assert ticks(platform) == []
    time.passes(hours=1)
    assert ticks(platform) == ["2026-01-05T16:00:00Z"]


@pytest.mark.parametrize(
    ("before", "seen"),
    [
        # Berlin: on 29 March 2026 the clocks go from 2 to 3 at 01:00 UTC, on 25 October from 3 to 2.
        ("2026-03-28T12:00:00Z", ["2026-03-30T00:30:00Z"]),
        ("2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ],
    ids=["skipped in spring", "repeated in autumn"],
)
def test_a_local_time_runs_once_where_it_is_repeated_and_not_where_it_is_skipped(
    start: Start, time: Time, before: str, seen: list[str]
) -> None:
    time.is_(before)
    platform = start("cron(30 2 * * ? *)", timezone="Europe/Berlin")
    for _ in range(2 * 24 * 4):
        time.passes(minutes=15)
        platform.clock.look()
    assert ticks(platform) == seen


def test_a_clock_that_goes_backwards_fires_nothing_twice(start: Start, time: Time) -> None:
    platform = start("rate(1 minute)")
    time.passes(minutes=1)
    ticks(platform)
    time.passes(minutes=-1)
    assert ticks(platform) == ["2026-01-05T12:01:00Z"]
    time.passes(minutes=1)
    assert ticks(platform) == ["2026-01-05T12:01:00Z"]
    time.passes(minutes=1)
    assert ticks(platform) == ["2026-01-05T12:01:00Z", "2026-01-05T12:02:00Z"]


def test_a_clock_that_goes_backwards_over_a_restart_fires_nothing_twice(start: Start, time: Time) -> None:
    platform = start("rate(1 minute)", missed="all")
    time.passes(minutes=1)
    ticks(platform)
    time.passes(minutes=-1)
    platform = start("rate(1 minute)", missed="all")
    time.passes(minutes=1)
    assert ticks(platform) == ["2026-01-05T12:01:00Z"]


def test_a_tick_handed_over_before_the_process_died_is_not_handled_again(start: Start, time: Time) -> None:
    platform = start("rate(1 minute)", missed="all")
    before = dict(platform.store.scan("@schedule", ""))
    time.passes(minutes=1)
    ticks(platform)
    _forget(platform, before)
    assert ticks(start("rate(1 minute)", missed="all")) == ["2026-01-05T12:01:00Z"]


def _forget(platform: Platform, positions: dict[str, Value]) -> None:
    """Leave the state as it is between handing ticks over and noting how far the clock has got."""
    for key, value in positions.items():
        platform.store.write({StateKey("@schedule", key): Write("put", value.json or b"")})
