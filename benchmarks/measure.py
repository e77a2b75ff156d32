"""Races: ways to do the same work, measured round by round in turn, and the table that comes of it."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Figures = Mapping[str, float]
"""What one round gave, by name with its unit; the first, a rate or a time, is what the ratios compare."""


class Wrong(Exception):
    """The work was not done as it should have been, so how fast it was means nothing."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work: `measure` does it once, checks what came of it (raises Wrong), and returns figures."""

    name: str
    measure: Callable[[], Figures]
    note: str = ""


@dataclass(frozen=True)
class Race:
    """Contenders on the same data; the first is the yardstick. `absent` says why others are missing, by name."""

    title: str
    contenders: Sequence[Contender]
    absent: Mapping[str, str] = field(default_factory=dict)

    def run(self, rounds: int) -> Table:
        """Measure A B C, A B C, …, so that a slow minute of the machine hits all alike; a first round only warms up."""
        table = Table(self.title, [Row(contender.name, contender.note) for contender in self.contenders], self.absent)
        for number in range(rounds + 1 if self.contenders else 0):
            _progress(f"{self.title}: round {number} of {rounds}")
            figures = [contender.measure() for contender in self.contenders]
            if number:
                table.add(figures)
        _progress("")
        return table


@dataclass(frozen=True)
class Row:
    """The rounds of one contender, and in each how many times the yardstick's rate or time it had."""

    name: str
    note: str
    rounds: list[Figures] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def cells(self) -> list[str]:
        """The name, the first figure and the ratio with their spreads, and the medians of all other figures."""
        first, *others = (_column(self.rounds, name) for name in self.rounds[0])
        return [
            self.name,
            _spread(first),
            _spread(self.ratios),
            *(_shown(statistics.median(other)) for other in others),
        ]


@dataclass(frozen=True)
class Table:
    """What a race gave."""

    title: str
    rows: Sequence[Row]
    absent: Mapping[str, str]

    def add(self, figures: Sequence[Figures]) -> None:
        """Add a round: the figures of each contender, that of the yardstick first."""
        yardstick = _first(figures[0])
        for row, measured in zip(self.rows, figures, strict=True):
            row.rounds.append(measured)
            row.ratios.append(_first(measured) / yardstick)

    def lines(self) -> Iterator[str]:
        """The table in Markdown, and the notes under it."""
        yield f"### {self.title}\n"
        if self.rows:
            yield from self._markdown()
        notes = {row.name: row.note for row in self.rows if row.note}
        yield from (f"- {name}: {note}" for name, note in notes.items())
        yield from (f"- {name}: not measured, {why}" for name, why in self.absent.items())

    def _markdown(self) -> Iterator[str]:
        first, *others = self.rows[0].rounds[0]
        names = ["", first, f"times {self.rows[0].name}", *others]
        cells = [names, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        cells.insert(1, ["-" * width for width in widths])
        for line in cells:
            yield f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        yield ""

    def to_dict(self) -> dict[str, Any]:
        """All figures of all rounds, as JSON values."""
        rows = [{"name": row.name, "rounds": list(map(dict, row.rounds)), "ratios": row.ratios} for row in self.rows]
        return {"title": self.title, "rows": rows, "absent": dict(self.absent)}


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _first(figures: Figures) -> float:
    return next(iter(figures.values()))


def _column(rounds: Sequence[Figures], name: str) -> list[float]:
    return [figures[name] for figures in rounds]


def _spread(values: Sequence[float]) -> str:
    """The median, and between which values all rounds were."""
    return f"{_shown(statistics.median(values))} ({_shown(min(values))} to {_shown(max(values))})"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
