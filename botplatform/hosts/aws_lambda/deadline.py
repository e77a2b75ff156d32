"""A handler given no longer than it asked for: a run that takes longer is abandoned, and nothing of it happens."""

from __future__ import annotations

from collections.abc import Callable

from botplatform.event import Event
from botplatform.hosts.aside import Aside
from botplatform.hosts.runner import Result, Runner, ignore
from botplatform.reply import Reply
from botplatform.router import Match
from botplatform.store import Run


def run_in_time(
    runner: Runner, event: Event, match: Match, run: Run, on_commit: Callable[[Reply | None], None] = ignore
) -> Result:
    """Give an event to a handler as `Runner.run` does; without a `deadline`, Lambda's own timeout ends a run.

    What hangs keeps its thread for as long as Lambda keeps the process, and its late commit is refused.
    """
    deadline = match.handler.limits.deadline
    if deadline is None:
        return runner.run(event, match, run, on_commit=on_commit)
    running = Aside(
        lambda: runner.run(event, match, run, on_commit=on_commit), f"attempt {match.handler.name} {event.id}"
    )
    try:
        return running.result(deadline)
    except TimeoutError:
        if run.abandon():
            return runner.overdue(event, match, run, deadline)
    return running.result()  # its commit has begun
