"""What can be run in lanes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar

logger = logging.getLogger(__name__)

Answer = float | None
"""Of a job: None when it is finished, or the seconds after which to run it again (where not 0, its lane waits)."""
T = TypeVar("T")
Finish = Callable[["Answer | Later"], None]
Later = Callable[[Finish], None]
"""What is left of a run: called on one of the threads; whichever thread completes it calls what it is given, once."""


class Job(Protocol):
    """Something to run in its lane."""

    lane: Hashable

    @property
    def kind(self) -> Hashable:
        """What shares its `concurrency`; the jobs of one lane are of one kind."""

    @property
    def concurrency(self) -> int:
        """How many jobs of its kind run at a time, in all lanes together; one that was given up does not count."""

    @property
    def deadline(self) -> float:
        """Seconds it may run before it is abandoned; for what is left of a run there is no such limit."""

    def run(self) -> Answer | Later:
        """Run; what is left of a run that was given up meanwhile is not done."""

    def abandon(self) -> Answer | Later:
        """Give up the run under way, whose thread hangs; the answer is as that of `run`."""

    def returned(self) -> None:
        """Learn that a run that was given up came back after all; what it answered is ignored."""

    def park(self) -> None:
        """Learn that the lane waits for a job in front to be run again."""


def guarded(job: Job, act: Callable[..., T], *given: object) -> T | float:
    """What `act` answers, `given` what it takes; a bug in it must not take the thread along."""
    try:
        return act(*given)
    except Exception:
        logger.exception("a job of %s failed; it is run again in 5 s", job.lane)
        return 5.0
