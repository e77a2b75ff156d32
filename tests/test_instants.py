"""Instants as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from botplatform.instants import instant

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
TODAY = NOW.astimezone().replace(hour=0, tzinfo=None)


@pytest.mark.parametrize("text", ["2h", "2h ago", " 2 hours ago", "120 min", "7200S"])
def test_a_length_of_time_is_one_that_has_passed(text: str) -> None:
    assert instant(text, NOW) == NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("today", TODAY),
        ("Yesterday", TODAY - timedelta(days=1)),
        ("14:30", TODAY.replace(hour=14, minute=30)),
        ("2026-01-02", datetime(2026, 1, 2)),
        ("2026-07-02T10:00", datetime(2026, 7, 2, 10)),
        ("2026-07-02 10:00:01.5", datetime(2026, 7, 2, 10, 0, 1, 500_000)),
    ],
)
def test_what_names_no_zone_is_meant_as_the_clock_on_this_wall(text: str, wall: datetime) -> None:
    assert instant(text, NOW) == wall.astimezone()


@pytest.mark.parametrize("text", ["2026-01-02T10:00Z", "2026-01-02t10:00z", "2026-01-02T12:00+02:00"])
def test_a_zone_that_is_named_counts(text: str) -> None:
    assert instant(text, NOW) == datetime(2026, 1, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "noon", "25:00", "2026-13-01", "99999999999999999999d", "2h later", "-2h"])
def test_anything_else_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ValueError, match='is no time: write "2h" '):
        instant(text, NOW)
