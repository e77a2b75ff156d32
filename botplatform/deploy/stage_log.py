"""The log of a stage: what its functions write to CloudWatch Logs, read back as one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from botplatform import codec
from botplatform.deploy.stage import Stage, answered
from botplatform.deploy.stage_search import fits
from botplatform.errors import Rejected
from botplatform.stores.sqlite.search import Search
from botplatform.tail import Entry

# How far to look back for the latest lines, in seconds: ten minutes, an hour, a day, two weeks.
_PERIODS = (600, 3600, 86_400, 14 * 86_400)
# A line may be there to be read only so long after it was written.
_LATE = 30_000
# CloudWatch Logs User Guide, "Filter pattern syntax": lines that are JSON objects with this name in them.
_EVENTS = "{ $.botplatform = * }"
_EVERYTHING = Search()


class Line(NamedTuple):
    """One line: when it was written (Unix time in ms), and by which function."""

    time: int
    function: str
    text: str


class StageLines:
    """All that the functions write, as a Tail; with `only` those entries of the log of events that it holds for.

    An entry comes as its line. `clock` gives the Unix time in seconds.
    """

    def __init__(
        self, stage: Stage, only: Callable[[Entry], bool] | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._stage = stage
        self._only = only
        self._clock = clock
        self._until = 0
        self._seen: set[Line] = set()

    def latest(self, count: int) -> list[Line]:
        """The latest lines of the last two weeks."""
        now = round(self._clock() * 1000)
        for period in _PERIODS:
            found = self._since(now - period * 1000)
            if len(found) >= count:
                break
        self._until, self._seen = now, set(found)
        return found[-count:] if count else []

    def newer(self) -> list[Line]:
        """The lines since then, those that come late too."""
        found = self._since(self._until - _LATE)
        fresh = [line for line in found if line not in self._seen]
        self._seen = set(found)
        self._until = max([self._until, *(line.time for line in found)])
        return fresh

    def _since(self, start: int) -> list[Line]:
        """Every line written since then, in the order of time."""
        found = (line for name in self._functions for line in self._lines(name, start))
        return sorted(found, key=lambda line: line.time)

    @property
    def _functions(self) -> list[str]:
        return [function.full_name for function in self._stage.functions]

    def _lines(self, function: str, start: int) -> Iterator[Line]:
        group, logs = f"/aws/lambda/{function}", self._stage.client("logs")
        about: dict[str, Any] = {"filterPattern": _EVENTS} if self._only else {}
        with answered(group):
            try:
                pages = logs.get_paginator("filter_log_events")
                for page in pages.paginate(logGroupName=group, startTime=max(start, 0), **about):
                    yield from self._wanted(function, page["events"])
            except logs.exceptions.ResourceNotFoundException:
                return  # it never ran

    def _wanted(self, function: str, events: Iterable[Mapping[str, Any]]) -> Iterator[Line]:
        name = function.removeprefix(f"{self._stage.stack}-")
        for event in events:
            text = event["message"].rstrip()
            found = entry(text)
            if not self._only or (found and self._only(found)):
                yield Line(event["timestamp"], name, text)


class StageEvents:
    """The events in the log of a stage, or those of them that are searched for, as a Tail of entries."""

    def __init__(self, stage: Stage, search: Search = _EVERYTHING, clock: Callable[[], float] = time.time) -> None:
        self._lines = StageLines(stage, lambda found: fits(found, search), clock)

    def latest(self, count: int) -> list[Entry]:
        """The latest events."""
        return [found for line in self._lines.latest(count) if (found := entry(line.text))]

    def newer(self) -> list[Entry]:
        """The events since then."""
        return [found for line in self._lines.newer() if (found := entry(line.text))]


def entry(text: str) -> Entry | None:
    """The entry of the log of events on a line, None where it is none."""
    if not text.startswith("{"):
        return None
    try:
        value = codec.decode(text.encode())
    except Rejected:
        return None
    return value if value.get("botplatform") else None
