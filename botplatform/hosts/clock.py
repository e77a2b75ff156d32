"""The clock: hands over the ticks that are due, and those that fell into a downtime as declared."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import takewhile

from botplatform import codec
from botplatform.errors import BotplatformError
from botplatform.hosts.intake import Intake
from botplatform.sources.schedule.expression import Schedule
from botplatform.sources.schedule.source import to_event
from botplatform.store import StateKey, Write
from botplatform.subscription import Subscription

logger = logging.getLogger(__name__)

# A tick found this many seconds late is late; one found later fell into a downtime.
GRACE = 60.0
CATCH_UP_LIMIT = 1000
HOUR = 3600.0
_NAMESPACE = "@schedule"


class Clock:
    """Runs on a thread; where each schedule has got to is kept in the state, so that a restart knows what it missed.

    `hourly` is called at the first look and each hour after.
    """

    def __init__(self, intake: Intake, hourly: Callable[[], object] = lambda: None, interval: float = 0.5) -> None:
        self._intake = intake
        self._hourly = hourly
        self._interval = interval
        self._stopping = threading.Event()
        self._position: dict[str, datetime] = {}
        self._watched: dict[str, tuple[datetime, datetime]] = {}
        self._last_hour = datetime.fromtimestamp(0, UTC)
        self._thread = threading.Thread(target=self._loop, name="clock", daemon=True)

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def stop(self) -> None:
        """Tick no more."""
        self._stopping.set()
        self._thread.join()

    def schedules(self) -> Iterator[Subscription]:
        """The schedules of the plugins that are loaded now."""
        for handler in self._intake.router.handlers.values():
            yield from (s for s in handler.subscriptions if s.source == "schedule")

    def look(self) -> None:
        """Hand over every tick that is due by now."""
        now = datetime.fromtimestamp(self._intake.engine.clock(), UTC)
        for subscription in self.schedules():
            self._advance(subscription, now)
        if abs((now - self._last_hour).total_seconds()) >= HOUR:
            self._hourly()
            self._last_hour = now

    def _loop(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.look()
            except BotplatformError as error:
                logger.error("the clock waits: %s", error)
                self._stopping.wait(5)

    def _advance(self, subscription: Subscription, now: datetime) -> None:
        name, schedule = subscription.options["name"], subscription.options["schedule"]
        # With other times it is another schedule, which has missed nothing yet.
        key = f"{name} {schedule.text} {schedule.timezone}"
        since = self._watched_since(key, now)
        due = _due(schedule, self._last(key, now), now)
        if not due:
            return
        missed = [tick for tick in due if (since - tick).total_seconds() > GRACE]
        late = len(missed)
        kept = {"skip": [], "last": missed[-1:], "all": missed}[subscription.options["missed"]]
        if late > len(kept):
            self._intake.count("ticks skipped after a downtime", late - len(kept))
            logger.info("%s: %d ticks fell into a downtime and are left out", name, late - len(kept))
        for tick in [*kept, *due[late:]]:
            self._intake.submit(to_event(name, tick), durable=True)
        self._keep(key, due[-1])

    def _watched_since(self, key: str, now: datetime) -> datetime:
        """When the looks at a schedule began that had no gap: what was due since then is late for want of room only."""
        began, last = self._watched.get(key, (now, now))
        if abs((now - last).total_seconds()) > GRACE:
            began = now
        self._watched[key] = began, now
        return began

    def _last(self, key: str, now: datetime) -> datetime:
        """The last instant up to which this schedule was seen to; a new one begins now."""
        if key not in self._position:
            stored = self._intake.store.read(StateKey(_NAMESPACE, key)).json
            if stored is None:
                self._keep(key, now)
            else:
                self._position[key] = datetime.fromisoformat(codec.decode(stored))
        return self._position[key]

    def _keep(self, key: str, instant: datetime) -> None:
        self._intake.store.write({StateKey(_NAMESPACE, key): Write("put", codec.encode(instant.isoformat()))})
        self._position[key] = instant


def _due(schedule: Schedule, last: datetime, now: datetime) -> list[datetime]:
    """The ticks after `last` up to `now`; the latest ones when there are more than anybody wants to catch up with."""
    due = list(takewhile(lambda tick: tick <= now, schedule.after(last)))
    return due[-CATCH_UP_LIMIT:]
