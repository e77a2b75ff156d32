"""Performs committed effects: those to one destination in order, each until it is done or given up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping

from botplatform.effect import Effect, perform
from botplatform.errors import NotAttempted, Rejected, Retry, StateUnavailable
from botplatform.hosts.lanes import Lanes, backoff
from botplatform.store import PendingEffect, Store

logger = logging.getLogger(__name__)

THREADS = 8
# One destination that does not answer leaves half of the threads to the others.
CONCURRENCY = THREADS // 2
# With pauses of up to 5 minutes, a destination may be away for about four hours.
ATTEMPTS = 100
DEADLINE = 30.0


class Performer:
    """Takes effects from any thread; `effects` by name may be replaced when plugins are.

    `backoff(attempts)` gives the seconds until the next attempt, `pause` is how many pass while nothing can be stored.
    """

    def __init__(self, store: Store) -> None:
        self.effects: Mapping[str, Effect] = {}
        self.backoff: Callable[[int], float] = backoff
        self.pause = 5.0
        self._store = store
        self._lanes: Lanes[_Performance] = Lanes(THREADS, "effects")
        self._lock = threading.Lock()
        self._known: set[str] = set()

    def perform(self, pending: Iterable[PendingEffect]) -> None:
        """Queue effects; one that is queued already is not queued twice."""
        for effect in pending:
            with self._lock:
                known = effect.key in self._known
                self._known.add(effect.key)
            if not known:
                self._lanes.submit(_Performance(self, effect))

    def resume(self) -> None:
        """Go on with what an earlier process left pending."""
        self.perform(self._store.pending())

    def pending(self) -> int:
        """How many effects are still to be performed."""
        return len(self._known)

    def busy(self) -> bool:
        """Whether any effect is being performed or about to be."""
        return self._lanes.busy()

    def stop(self, timeout: float) -> bool:
        """Let running effects finish; the rest is pending until the next start."""
        return self._lanes.stop(timeout)

    def settled(self, effect: PendingEffect) -> None:
        """Forget an effect that is performed or given up."""
        self._known.discard(effect.key)


class _Performance:
    """One effect on its way out."""

    concurrency = CONCURRENCY
    deadline = DEADLINE

    def __init__(self, performer: Performer, effect: PendingEffect) -> None:
        self.kind: Hashable = effect.request.name
        self.lane: Hashable = (effect.request.name, effect.request.order or effect.key)
        self._performer = performer
        self._effect = effect
        self._attempts = effect.attempts
        self._result: Mapping[str, object] | None = None

    def run(self) -> float | None:
        """Perform it once; what was performed and could not be marked is only marked again."""
        try:
            if self._result is None:
                self._result = perform(self._performer.effects, self._effect)
            self._performer._store.performed(self._effect, self._result)
        except NotAttempted:
            return self._performer.pause
        except Retry as retry:
            return self._failed(str(retry), retry.after, final=False)
        except Rejected as rejected:
            return self._failed(str(rejected), None, final=True)
        except StateUnavailable as error:
            logger.error("effect %s waits: %s", self._effect.key, error)
            return self._performer.pause
        self._performer.settled(self._effect)
        return None

    def abandon(self) -> float | None:
        """It hangs: whether it happened is not known, so it is tried again."""
        return self._failed(f"no answer in {self.deadline:g} s", None, final=False)

    def returned(self) -> None:
        """It hung and is over: nothing to do."""

    def park(self) -> None:
        """It is durable already: nothing to do."""

    def _failed(self, reason: str, after: float | None, final: bool) -> float | None:
        self._attempts += 1
        final = final or self._attempts >= ATTEMPTS
        logger.warning("effect %s %s: %s", self._effect.key, "given up" if final else "is tried again", reason)
        try:
            self._performer._store.postponed(self._effect, reason, given_up=final)
        except StateUnavailable as error:
            logger.error("effect %s waits: %s", self._effect.key, error)
        if final:
            self._performer.settled(self._effect)
            return None
        return after if after is not None else self._performer.backoff(self._attempts)
