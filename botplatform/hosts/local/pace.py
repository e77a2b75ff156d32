"""How long the runs of a handler take, so that those that are quick can run in groups."""

from __future__ import annotations

QUICK = 0.001
# A run counts for no more than this many seconds: one that happened to be interrupted does not make its handler slow.
LONGEST = 0.004
# Of the pace so far, this much is replaced by that of the last run.
WEIGHT = 0.1


class Pace:
    """A moving average; `seconds` is how many the next run will probably take. Before the first, it is not quick."""

    __slots__ = ("_seen", "seconds")

    def __init__(self) -> None:
        self.seconds = LONGEST
        self._seen = False

    @property
    def quick(self) -> bool:
        """Whether a run takes less than a millisecond."""
        return self.seconds < QUICK

    def note(self, seconds: float) -> None:
        """Add a run."""
        taken = min(seconds, LONGEST)
        before = self.seconds if self._seen else taken
        self.seconds, self._seen = before + WEIGHT * (taken - before), True

    def overran(self) -> None:
        """Take the handler for slow, until some of its runs were quick."""
        self.seconds, self._seen = LONGEST, True
