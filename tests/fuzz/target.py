"""A target: something that reads what strangers write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from botplatform.patterns.errors import PatternError

Came = Counter[str]


class Target(NamedTuple):
    """One reader: `feed` is given malformed `samples`, `share` times as often as others.

    It returns how many "events" came of the input and how much was "accepted" or "rejected"; whatever it raises is a
    bug.
    """

    name: str
    samples: Sequence[bytes]
    feed: Callable[[bytes], Came]
    share: int = 1


def refused(error: Exception) -> Came:
    """An input that was refused as it should be: with a reason, and a pattern's with its place."""
    assert str(error), "refused without a reason"
    assert not isinstance(error, PatternError) or error.where, "refused without a place"
    return Came(rejected=1)
