"""An event in its handlers on a thread of their own, so that whoever waits can be answered in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from botplatform.event import Event
from botplatform.hosts.aws_lambda.deadline import run_in_time
from botplatform.hosts.patience import wait
from botplatform.hosts.runner import Handled, Result, Runner
from botplatform.reply import Reply
from botplatform.router import Match
from botplatform.source import Post
from botplatform.store import Run

# A commit that is under way at the deadline is waited for a little longer: it takes milliseconds.
_COMMITS_WITHIN = 0.3


class Attempt:
    """Begins at once; `answered` says that nobody waits for the reply itself."""

    def __init__(self, runner: Runner, event: Event, matches: Sequence[Match], answered: bool) -> None:
        self.event = event
        self.reply: Reply | None = None
        self._runner = runner
        self._matches = matches
        self._runs = {match.handler.name: Run(answered=answered) for match in matches}
        self._results: list[Result] = []
        self._handled: Handled | None = None
        self._replied = threading.Event()
        self._over = threading.Event()
        threading.Thread(target=self._run, name=f"attempt {event.id}", daemon=True).start()

    def finish(self, deadline: float, meanwhile: Callable[[], Post | None]) -> list[str]:
        """Wait until `deadline` (by `time.monotonic`); returns the handlers another run has to be given the event.

        When it takes a while, what `meanwhile` gives says so to whoever waits. Once it returned, `reply` is what there
        is, and nothing else of what is unfinished happens here.
        """
        if not wait(self._over, deadline, meanwhile):
            return self._leave()
        if self._handled is None:
            raise RuntimeError(f"the handlers of {self.event!r} died")
        self.reply = self._handled.reply
        return [result.handler for result in self._handled.waiting]

    def _leave(self) -> list[str]:
        """Give up what has not committed, and leave the effects of what has."""
        for run in self._runs.values():
            run.left = True
        committing = [run for run in self._runs.values() if not run.abandon()]
        if committing:
            self._replied.wait(_COMMITS_WITHIN)
        done = {result.handler for result in self._results if result.status != "waiting"}
        return [name for name in self._runs if name not in done]

    def _run(self) -> None:
        try:
            for match in self._matches:
                run = self._runs[match.handler.name]
                if not run.abandoned:
                    self._results.append(run_in_time(self._runner, self.event, match, run, self._committed))
            self._handled = self._runner.finish(self.event, self._results)
        finally:
            self._over.set()

    def _committed(self, reply: Reply | None) -> None:
        self.reply = self.reply or reply
        self._replied.set()
