"""Lengths of time as people write them: "90s", "1h", "7 days"."""

from __future__ import annotations

import re
from datetime import timedelta

_LENGTH = r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*"
_SECONDS = {"ms": 0.001, "s": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_SECONDS.update({"d": 86400, "day": 86400, "w": 604800, "week": 604800})


def seconds(length: str | timedelta) -> float:
    """The seconds in a length of time; raises ValueError with the forms it knows."""
    if isinstance(length, timedelta):
        return length.total_seconds()
    found = re.fullmatch(_LENGTH, length)
    unit = _SECONDS.get(found[2]) or _SECONDS.get(found[2].removesuffix("s")) if found else None
    if not found or unit is None:
        raise ValueError(f'{length!r} is no length of time: write "90s", "15m", "1h" or "7d"')
    return float(found[1]) * unit


def words(length: float) -> str:
    """Seconds as people say them: "45 s", "3 min", "2 h", "5 days"."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if length >= 2 * size or (length == size and unit != "days"):
            return f"{length / size:.0f} {unit}"
    return f"{length:.0f} s"
