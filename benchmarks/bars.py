"""Bars: what a figure has to be beside another one of the same round, and whether it was."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Rounds = Sequence[Mapping[str, float]]

BY_HAND = "by hand"
"""The row of a plain loop that keeps, or answers, the same: it says how much is left for all else we do."""


@dataclass(frozen=True)
class Bar:
    """A figure of `row` is at most, or at least, `limit` times that of the row `of`; without one, `limit` itself.

    `figure` is its name in both rows, the first one if it has none.
    """

    row: str
    way: Literal["at most", "at least"]
    limit: float
    of: str = ""
    figure: str = ""

    def judge(self, rounds: Mapping[str, Rounds]) -> Verdict:
        """Hold the rounds of all rows, by name, against this bar; a row that is not there was not measured."""
        return Verdict(self, self._reached(self.row, rounds), self._reached(BY_HAND, rounds))

    def _reached(self, row: str, rounds: Mapping[str, Rounds]) -> list[float]:
        """What a row came to in each round."""
        if row not in rounds or (self.of and self.of not in rounds):
            return []
        figures = self._figures(rounds[row])
        if not self.of:
            return figures
        others = self._figures(rounds[self.of])
        return [figure / other for figure, other in zip(figures, others, strict=True)]

    def _figures(self, rounds: Rounds) -> list[float]:
        return [figures[self.figure] if self.figure else next(iter(figures.values())) for figures in rounds]

    def __str__(self) -> str:
        about = f"{self.row}, {self.figure}" if self.figure else self.row
        limit = times(self.limit) if self.of else f"{self.limit:g}"
        return f"{about}: {self.way} {limit}{f' x {self.of}' if self.of else ''}"


@dataclass(frozen=True)
class Verdict:
    """What came of a bar: its figure in each round; none when it was not measured.

    `by_hand` is what the race's loop by hand came to, where there is one.
    """

    bar: Bar
    rounds: Sequence[float]
    by_hand: Sequence[float] = ()

    @property
    def met(self) -> bool | None:
        """Whether the median of the rounds keeps to the limit; None when there are none."""
        if not self.rounds:
            return None
        median = statistics.median(self.rounds)
        return median <= self.bar.limit if self.bar.way == "at most" else median >= self.bar.limit

    def __str__(self) -> str:
        if not self.rounds:
            return f"{self.bar}: not measured"
        shown = times if self.bar.of else _amount
        median, least, most = (shown(of(self.rounds)) for of in _SUMMARIES)
        return f"{self.bar}: {median} ({least} to {most}), {'met' if self.met else 'MISSED'}"

    def to_dict(self) -> dict[str, Any]:
        """The bar in words, its figure in each round, and whether it was met, as JSON values."""
        by_hand = {"by hand": list(self.by_hand)} if self.by_hand else {}
        return {"bar": str(self.bar), "limit": self.bar.limit, "rounds": list(self.rounds), "met": self.met, **by_hand}


def at_most(row: str, limit: float, of: str = "", figure: str = "") -> Bar:
    """The bar that a figure of `row` is no more than `limit` (times that of the row `of`)."""
    return Bar(row, "at most", limit, of, figure)


def at_least(row: str, limit: float, of: str = "", figure: str = "") -> Bar:
    """The bar that a figure of `row` is no less than `limit` (times that of the row `of`)."""
    return Bar(row, "at least", limit, of, figure)


def summary(verdicts: Sequence[tuple[str, Verdict]]) -> Iterator[str]:
    """How many bars were met, and those that were not, each with the title of its race."""
    if verdicts:
        yield f"{sum(verdict.met is True for _, verdict in verdicts)} of {len(verdicts)} bars met"
    yield from (f"- {title}: {verdict}" for title, verdict in verdicts if not verdict.met)


def times(ratio: float) -> str:
    """A ratio as people say it: 2.5, or 1/300."""
    return f"1/{_amount(1 / ratio)}" if 0 < ratio < 0.25 else f"{ratio:.3g}"


def _amount(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


_SUMMARIES: tuple[Callable[[Sequence[float]], float], ...] = (statistics.median, min, max)
