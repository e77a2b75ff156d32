"""Pieces of what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botplatform import codec
from botplatform.durations import words


def row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """A line of a table."""
    return "  ".join(cut(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def cut(text: str, width: int) -> str:
    """A text on one line, padded or cut to a width."""
    flat = plain(" ".join(text.split()))
    return flat.ljust(width) if len(flat) <= width else flat[: width - 1] + "…"


def plain(text: str) -> str:
    """A text without what a terminal would obey: strangers write into subjects and reasons."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def clock_time(when: float) -> str:
    """The local time of a Unix time in seconds, to the millisecond."""
    return datetime.fromtimestamp(when).isoformat(" ", "milliseconds")


def json_told(value: Any) -> str:
    """Any value as a line of JSON."""
    return codec.encode(value).decode()


def spent(seconds: float) -> str:
    """A time that passed: "1.2 ms", "4.5 s", "2 h"."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else words(seconds)
