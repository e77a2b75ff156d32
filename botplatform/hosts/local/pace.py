"""How long the runs of a handler take, so that those that are quick can run in groups."""

from __future__ import annotations

QUICK = 0.001
# A run counts for no more than this many seconds: one that happened to be interrupted does not make its handler slow.
LONGEST = 0.004
# Of the pace so far, this much is replaced by that of the last run.
WEIGHT = 0.1


class Pace:
    """A moving average; `seconds` is how many the next run will probably take, `quick` says that it is less than 0.001.

    Before the first, it is not quick.
    """

    __slots__ = ("_seen", "quick", "seconds")

    def __init__(self) -> None:
        self.seconds = LONGEST
        self.quick = False
        self._seen = False

    def note(self, seconds: float) -> None:
        """Add a run."""
        taken = LONGEST if seconds > LONGEST else seconds
        if self._seen:
            self.seconds += WEIGHT * (taken - self.seconds)
        else:
            self.seconds, self._seen = taken, True
        self.quick = self.seconds < QUICK

    def overran(self) -> None:
        """Take the handler for slow, until some of its runs were quick."""
        self.seconds, self.quick, self._seen = LONGEST, False, True
