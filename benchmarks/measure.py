"""Races: ways to do the same work, measured round by round in turn, and the table that comes of it."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.bars import Bar, Verdict

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
    """Contenders on the same data; the first is the yardstick. `absent` says why others are missing, by name.

    `bars` are what it is to show; raises ValueError for one about a row that is neither here nor absent.
    """

    title: str
    contenders: Sequence[Contender]
    absent: Mapping[str, str] = field(default_factory=dict)
    bars: Sequence[Bar] = ()

    def __post_init__(self) -> None:
        known = {"", *self.absent, *(contender.name for contender in self.contenders)}
        unknown = {name for bar in self.bars for name in (bar.row, bar.of)} - known
        if unknown:
            raise ValueError(f"a bar of {self.title!r} is about {sorted(unknown)}, which is no row")

    def run(self, rounds: int) -> Table:
        """Measure A B C, A B C, …, so that a slow minute of the machine hits all alike; a first round only warms up."""
        rows = [Row(contender.name, contender.note) for contender in self.contenders]
        table = Table(self.title, rows, self.absent, self.bars)
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

    def cells(self, others: Sequence[str]) -> list[str]:
        """The name, the first figure and the ratio with their spreads, and the medians of `others` it has."""
        first = [_first(figures) for figures in self.rounds]
        return [self.name, _spread(first), _spread(self.ratios), *map(self._median, others)]

    def _median(self, name: str) -> str:
        values = [figures[name] for figures in self.rounds if name in figures]
        return _shown(statistics.median(values)) if values else ""


@dataclass(frozen=True)
class Table:
    """What a race gave."""

    title: str
    rows: Sequence[Row]
    absent: Mapping[str, str]
    bars: Sequence[Bar] = ()

    def add(self, figures: Sequence[Figures]) -> None:
        """Add a round: the figures of each contender, that of the yardstick first."""
        yardstick = _first(figures[0])
        for row, measured in zip(self.rows, figures, strict=True):
            row.rounds.append(measured)
            row.ratios.append(_first(measured) / yardstick)

    def verdicts(self) -> list[Verdict]:
        """What came of each bar."""
        rounds = {row.name: row.rounds for row in self.rows if row.rounds}
        return [bar.judge(rounds) for bar in self.bars]

    def lines(self) -> Iterator[str]:
        """The table in Markdown, and under it the notes and the bars."""
        yield f"### {self.title}\n"
        if self.rows:
            yield from self._markdown()
        notes = {row.name: row.note for row in self.rows if row.note}
        yield from (f"- {name}: {note}" for name, note in notes.items())
        yield from (f"- {name}: not measured, {why}" for name, why in self.absent.items())
        yield from (f"- bar: {verdict}" for verdict in self.verdicts())

    def _markdown(self) -> Iterator[str]:
        first, *_ = self.rows[0].rounds[0]
        others = list(dict.fromkeys(name for row in self.rows for name in list(row.rounds[0])[1:]))
        names = ["", first, f"times {self.rows[0].name}", *others]
        cells = [names, *(row.cells(others) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        cells.insert(1, ["-" * width for width in widths])
        for line in cells:
            yield f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        yield ""

    def to_dict(self) -> dict[str, Any]:
        """All figures of all rounds, as JSON values."""
        rows = [{"name": row.name, "rounds": list(map(dict, row.rounds)), "ratios": row.ratios} for row in self.rows]
        bars = [verdict.to_dict() for verdict in self.verdicts()]
        return {"title": self.title, "rows": rows, "absent": dict(self.absent), "bars": bars}


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _first(figures: Figures) -> float:
    return next(iter(figures.values()))


def _spread(values: Sequence[float]) -> str:
    """The median, and between which values all rounds were."""
    return f"{_shown(statistics.median(values))} ({_shown(min(values))} to {_shown(max(values))})"


def _shown(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or not value else f"{value:.2g}"
