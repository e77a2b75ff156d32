"""Instants as people write them: "2h ago", "yesterday", "14:30", "2026-01-05T10:00"."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time, timedelta

from botplatform.durations import seconds

FORMS = '"2h" (ago), "today", "yesterday", "14:30" or an ISO 8601 time'
_DAYS = {"today": 0, "yesterday": 1}


def instant(text: str, now: datetime) -> datetime:
    """The instant (aware) that a text names, seen from `now` (aware); raises ValueError with the forms it knows.

    A length of time is one that has passed. What names no zone is meant in this machine's, as a clock on the wall.
    """
    named, today = text.strip().lower(), now.astimezone().date()
    if named in _DAYS:
        return _here(today - timedelta(days=_DAYS[named]), time())
    with suppress(ValueError):
        return _here(today, time.fromisoformat(named if ":" in named else ""))
    with suppress(ValueError):
        found = datetime.fromisoformat(named.upper())
        return found if found.tzinfo else found.astimezone()
    with suppress(ValueError, OverflowError):
        return now - timedelta(seconds=seconds(named.removesuffix("ago")))
    raise ValueError(f"{text!r} is no time: write {FORMS}")


def _here(day: date, clock: time) -> datetime:
    """A day and a time of it; the time may name a zone of its own."""
    return datetime.combine(day, clock).astimezone()
