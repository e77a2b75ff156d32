"""Single runs of handlers: each is noted while it lasts, timed, and refused where it would only do harm again."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable

from botplatform.engine import Engine, Failed
from botplatform.event import Event
from botplatform.hosts.local.overlay import Overlay
from botplatform.hosts.local.pace import Pace
from botplatform.hosts.local.recorder import Recorder
from botplatform.router import Match, Router
from botplatform.store import Commit, Readable, Run, Work
from botplatform.stores.sqlite import SqliteStore

# A handler that hangs costs a thread each time, which nothing can take back: after so many it is not started again.
STUCK_LIMIT = 4
CRASH_LIMIT = 3


class Runs:
    """Runs handlers of the present `router()`, and knows how each of them behaves.

    `paces` are how long they take, `stuck` counts the runs of each that hang now, and `crashes(work)` says how often
    the process died while it did that.
    """

    def __init__(self, engine: Engine, store: SqliteStore, recorder: Recorder, router: Callable[[], Router]) -> None:
        self.paces: defaultdict[str, Pace] = defaultdict(Pace)
        self.stuck: Counter[str] = Counter()
        self.crashes = recorder.crashes
        self._engine = engine
        self._store = store
        self._recorder = recorder
        self._router = router
        self._lock = threading.Lock()

    def attempt(self, work: Work, event: Event, match: Match | None, run: Run, overlay: Overlay | None) -> Commit:
        """Run a handler once, on an overlay if there is one; returns what is to be committed: see `Engine.attempt`."""
        began, store = time.perf_counter(), overlay or self._store
        try:
            known = store.outcome(work)
            if known:
                return self._engine.repeat(event, work, known, run)
            return self._run(work, event, match or self.match(event, work.handler), run, store)
        finally:
            # It is not slow where it waited for what others have not committed yet.
            waited = overlay.waited if overlay else 0.0
            self.paces[work.handler].note(time.perf_counter() - began - waited)

    def match(self, event: Event, handler: str) -> Match:
        """What a handler is by now: a newer version of its plugin may be there; raises Failed where none is."""
        matches = {match.handler.name: match for match in self._router().route(event)}
        if handler not in matches:
            raise Failed(f"no handler {handler} listens to this any more", final=True)
        return matches[handler]

    def forgive(self, work: Work) -> None:
        """Try this again as though the process had never died while it did it."""
        self._recorder.forgive(work)

    def hangs(self, handler: str, change: int) -> None:
        """Count how many runs of a handler hang now."""
        with self._lock:
            self.stuck[handler] += change

    def _run(self, work: Work, event: Event, match: Match, run: Run, store: Readable) -> Commit:
        if self.stuck and self.stuck[work.handler] >= STUCK_LIMIT:
            raise Failed(f"{STUCK_LIMIT} runs of {work.handler} hang already")
        if self.crashes(work) >= CRASH_LIMIT:
            raise Failed(f"the process died {CRASH_LIMIT} times while {work.handler} handled it", final=True)
        noted = self._recorder.begin(work)
        try:
            return self._engine.attempt(work, event, match, run, store)
        finally:
            self._recorder.end(noted, work)
