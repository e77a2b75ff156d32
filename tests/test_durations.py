"""Lengths of time, as people write and say them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from botplatform.durations import seconds, words


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ("250ms", 0.25),
        ("90s", 90),
        ("1 second", 1),
        ("15m", 900),
        ("15 min", 900),
        ("2 minutes", 120),
        ("1h", 3600),
        ("1.5 hours", 5400),
        (" 7 days ", 604800),
        ("1w", 604800),
        ("2 weeks", 1209600),
        (timedelta(minutes=1, milliseconds=500), 60.5),
    ],
)
def test_a_length_is_read_as_people_write_it(length: str | timedelta, expected: float) -> None:
    assert seconds(length) == expected


@pytest.mark.parametrize("length", ["", "h", "5", "-1h", "1 h 30 m", "1 month", "1H", "1,5h", "1h\nx"])
def test_what_is_no_length_is_refused_with_the_forms_there_are(length: str) -> None:
    with pytest.raises(ValueError, match='write "90s", "15m", "1h" or "7d"'):
        seconds(length)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (90, "90 s"),
        (180, "3 min"),
        (3600, "1 h"),
        (5400, "90 min"),
        (7200, "2 h"),
        (86400, "24 h"),
        (432000, "5 days"),
    ],
)
def test_seconds_are_said_in_the_largest_unit_that_fits(length: float, expected: str) -> None:
    assert words(length) == expected
