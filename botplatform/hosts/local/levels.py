"""How full the platform is, against its limits: what is full slows the sources down before anything more is taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from botplatform.errors import Overloaded, StateUnavailable
from botplatform.settings import Settings

# What has to be counted in the file is counted again after so many seconds.
FRESH_FOR = 1.0


@dataclass(frozen=True)
class Level:
    """How much there is of something (`now`), and how much there may be: `setting` says so, `full` what it is about."""

    setting: str
    limit: int
    now: Callable[[], int]
    full: str

    def check(self) -> None:
        """Raise Overloaded when there is no room for more."""
        if self.now() >= self.limit:
            raise Overloaded(f"{self.limit} {self.full}, as many as {self.setting} allows")

    def shown(self) -> dict[str, int | str]:
        """How much there is `now`, the `limit`, and its `setting`; raises StateUnavailable if that is in the file."""
        return {"now": self.now(), "limit": self.limit, "setting": self.setting}


def levels(
    settings: Settings,
    *,
    in_flight: Callable[[], int],
    inbox: Callable[[], int],
    outbox: Callable[[], int],
    log: Callable[[], int],
) -> Mapping[str, Level]:
    """All there are, by name, given how to count each; a full log forgets, and keeps nothing out."""
    return {
        "in_flight": Level("BOTPLATFORM_IN_FLIGHT", settings.in_flight, in_flight, "events are under way"),
        "inbox": Level("BOTPLATFORM_INBOX_LIMIT", settings.inbox_limit, inbox, "events are in the inbox"),
        "outbox": Level("BOTPLATFORM_OUTBOX_LIMIT", settings.outbox_limit, outbox, "effects wait"),
        "log": Level("BOTPLATFORM_LOG_LIMIT", settings.log_limit, log, "events are in the log"),
    }


class Tally:
    """A number that is costly to count: counted when it is asked for, but only each second, and added to meanwhile."""

    def __init__(self, count: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._lock = threading.Lock()
        self._number = 0
        self._counted = float("-inf")

    def add(self, number: int) -> None:
        """Note that there is more."""
        with self._lock:
            self._number += number

    def now(self) -> int:
        """The number; while the state cannot be read, the last one known."""
        with self._lock:
            if self._clock() - self._counted > FRESH_FOR:
                self._counted = self._clock()
                with suppress(StateUnavailable):
                    self._number = self._count()
            return self._number
