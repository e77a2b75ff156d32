"""The clock: hands over the ticks that are due, those that fell into a downtime as declared, and has the log pruned."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile

from botplatform import codec
from botplatform.errors import StateUnavailable
from botplatform.hosts.local.dispatch import Dispatcher
from botplatform.sources.schedule.expression import Schedule
from botplatform.sources.schedule.source import to_event
from botplatform.store import StateKey, Write
from botplatform.subscription import Subscription

logger = logging.getLogger(__name__)

# A tick found this many seconds late is late; one found later fell into a downtime.
GRACE = 60.0
CATCH_UP_LIMIT = 1000
# AWS Lambda delivers an asynchronous event for up to 6 hours, people look at logs for days.
KEEP_FOR = 7 * 86400.0
PRUNE_EVERY = 3600.0
_NAMESPACE = "@schedule"


class Clock:
    """Runs on a thread; where each schedule has got to is kept in the state, so that a restart knows what it missed."""

    def __init__(self, dispatcher: Dispatcher, interval: float = 0.5) -> None:
        self._dispatcher = dispatcher
        self._interval = interval
        self._stopping = threading.Event()
        self._position: dict[str, datetime] = {}
        self._pruned = datetime.fromtimestamp(0, UTC)
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
        for handler in self._dispatcher.router.handlers.values():
            yield from (s for s in handler.subscriptions if s.source == "schedule")

    def look(self) -> None:
        """Hand over every tick that is due by now; once an hour, forget what is old in the state."""
        now = datetime.fromtimestamp(self._dispatcher.engine.clock(), UTC)
        for subscription in self.schedules():
            self._advance(subscription, now)
        if abs((now - self._pruned).total_seconds()) >= PRUNE_EVERY:
            self._dispatcher.store.prune(KEEP_FOR)
            self._pruned = now

    def _loop(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.look()
            except StateUnavailable as error:
                logger.error("the clock waits: %s", error)
                self._stopping.wait(5)

    def _advance(self, subscription: Subscription, now: datetime) -> None:
        name, schedule = subscription.options["name"], subscription.options["schedule"]
        # With other times it is another schedule, which has missed nothing yet.
        key = f"{name} {schedule.text} {schedule.timezone}"
        due = _due(schedule, self._last(key, now), now)
        if not due:
            return
        missed = [tick for tick in due if (now - tick).total_seconds() > GRACE]
        late = len(missed)
        kept = {"skip": [], "last": missed[-1:], "all": missed}[subscription.options["missed"]]
        if late > len(kept):
            self._dispatcher.count("ticks skipped after a downtime", late - len(kept))
            logger.info("%s: %d ticks fell into a downtime and are left out", name, late - len(kept))
        for tick in [*kept, *due[late:]]:
            self._dispatcher.submit(to_event(name, tick), durable=True)
        self._keep(key, due[-1])

    def _last(self, key: str, now: datetime) -> datetime:
        """The last instant up to which this schedule was seen to; a new one begins now."""
        if key not in self._position:
            stored = self._dispatcher.store.read(StateKey(_NAMESPACE, key)).json
            if stored is None:
                self._keep(key, now)
            else:
                self._position[key] = datetime.fromisoformat(codec.decode(stored))
        return self._position[key]

    def _keep(self, key: str, instant: datetime) -> None:
        self._dispatcher.store.write({StateKey(_NAMESPACE, key): Write("put", codec.encode(instant.isoformat()))})
        self._position[key] = instant


def _due(schedule: Schedule, last: datetime, now: datetime) -> list[datetime]:
    """The ticks after `last` up to `now`; the latest ones when there are more than anybody wants to catch up with."""
    due = list(takewhile(lambda tick: tick <= now, schedule.after(last)))
    return due[-CATCH_UP_LIMIT:]
