"""How long the runs of each handler take, so that those that are quick can run in groups."""

from __future__ import annotations

QUICK = 0.001
# A run counts for no more than this many seconds: one that happened to be interrupted does not make its handler slow.
LONGEST = 0.004
# Of the pace so far, this much is replaced by that of the last run.
WEIGHT = 0.1


class Paces:
    """A moving average for each handler, by its name; handlers nobody has seen run are not quick."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def quick(self, handler: str) -> bool:
        """Whether its runs take less than a millisecond."""
        return self.expected(handler) < QUICK

    def expected(self, handler: str) -> float:
        """How many seconds its next run will probably take."""
        return self._seconds.get(handler, LONGEST)

    def note(self, handler: str, seconds: float) -> None:
        """Add a run."""
        taken = min(seconds, LONGEST)
        before = self._seconds.get(handler, taken)
        self._seconds[handler] = before + WEIGHT * (taken - before)

    def overran(self, handler: str) -> None:
        """Take a handler for slow, until some of its runs were quick."""
        self._seconds[handler] = LONGEST
