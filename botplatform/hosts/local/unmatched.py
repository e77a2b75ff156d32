"""Events that no handler listens to: logged, with what would have to be written to handle them."""

from __future__ import annotations

import logging
import threading

from botplatform.event import Event
from botplatform.hosts.local.delivery import Delivery, Result
from botplatform.router import Router
from botplatform.source import Source
from botplatform.stores.sqlite.log import Log

logger = logging.getLogger(__name__)

# What it takes to explain one is spent on so many kinds of them.
EXPLAINED_LIMIT = 1000


class Unmatched:
    """Settles their deliveries once they are in the `log`; `unlogged` is how many are not yet."""

    def __init__(self, log: Log) -> None:
        self.unlogged = 0
        self._log = log
        self._lock = threading.Lock()
        self._explained: dict[tuple[str, str, str | None], str] = {}

    def settle(self, delivery: Delivery, router: Router) -> None:
        """Log the event, and answer as its source does then; returns at once."""
        event, source = delivery.event, delivery.source
        reply = source.unmatched(event, router.known(source.name))
        if reply:
            delivery.results.append(Result("", "unmatched", reply))
        self._count(1)
        self._log.record(event, "unmatched", self._why(event, source, router), lambda _: self._logged(delivery))

    def _logged(self, delivery: Delivery) -> None:
        self._count(-1)
        delivery.settle()

    def _count(self, change: int) -> None:
        with self._lock:
            self.unlogged += change

    def _why(self, event: Event, source: Source, router: Router) -> str:
        """The reason for the log, and, the first time, the handler one would write."""
        kind = (source.name, event.type, event.subject)
        if kind in self._explained or len(self._explained) >= EXPLAINED_LIMIT:
            return self._explained.get(kind, "no handler listens to it")
        nearest = router.nearest(source.name, event.subject)
        reason = "no handler listens to it" + (f"; the nearest listens to {nearest}" if nearest else "")
        self._explained[kind] = reason
        logger.info("%s: %s; one would be:\n%s", event, reason, source.suggest(event))
        return reason
