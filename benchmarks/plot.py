"""`python -m benchmarks.plot`: draws docs/matching.png, the cost of an event against the number of patterns."""

from __future__ import annotations

import hashlib
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.matching import FROM_BYTES, FUNCTIONS, MIXES, RULER_TEXT
from benchmarks.per_event import COST
from benchmarks.results import RESULTS, rows, tables
from benchmarks.servers import ROOT
from benchmarks.yardstick import YARDSTICK

SOURCE = RESULTS / "matching.json"
PICTURE = ROOT / "docs" / "matching.png"
MIX = MIXES[0]


class Curve(NamedTuple):
    """How a row of the tables is drawn, and what it is called there."""

    row: str
    label: str
    color: str
    width: float


CURVES = (
    Curve(FUNCTIONS, "a loop over Python functions\n(the event decoded already)", "#8a8f98", 1.6),
    Curve(RULER_TEXT, "AWS's event-ruler (Java)", "#d9822b", 1.6),
    Curve(FROM_BYTES, "botplatform's index", "#1f5fbf", 2.6),
)


def draw(figures: Path, picture: Path) -> None:
    """Draw what `python -m benchmarks matching` gave; the picture says in itself which figures it is of."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    costs, yardstick = _costs(figures)
    figure, axis = pyplot.subplots(figsize=(8, 4.2), layout="constrained")
    for curve in CURVES:
        if curve.row in costs:
            _line(axis, curve, costs[curve.row])
    axis.axhline(yardstick, color="#555a63", linewidth=1, linestyle=(0, (4, 3)))
    axis.annotate(
        f"{YARDSTICK}: {yardstick:.1f} µs", (10_000, yardstick), (9, -3), **_BESIDE, va="top", color="#555a63"
    )
    _axes(axis)
    figure.savefig(picture, dpi=150, metadata={"Source": digest(figures), "Software": ""})


def digest(figures: Path) -> str:
    """What the picture of these figures carries."""
    return hashlib.sha256(figures.read_bytes()).hexdigest()


def _costs(figures: Path) -> tuple[dict[str, dict[float, float]], float]:
    """The microseconds of each row by the number of patterns, and those of the yardstick."""
    costs: defaultdict[str, dict[float, float]] = defaultdict(dict)
    yardsticks = []
    for name, medians in rows(tables(figures.stem, figures.parent), MIX.title):
        if name == YARDSTICK:
            yardsticks.append(medians[COST])
        else:
            costs[name][medians["patterns"]] = medians[COST]
    return costs, statistics.median(yardsticks)


def _line(axis: Any, curve: Curve, costs: dict[float, float]) -> None:
    patterns, values = list(costs), list(costs.values())
    axis.plot(patterns, values, color=curve.color, linewidth=curve.width, marker="o", markersize=4)
    axis.annotate(
        f"{curve.label}\n{_shown(values[-1])}",
        (patterns[-1], values[-1]),
        (9, 0),
        **_BESIDE,
        va="center",
        color=curve.color,
    )


def _axes(axis: Any) -> None:
    axis.set(xscale="log", yscale="log", xlim=(8, 130_000), ylim=(1, 30_000), xlabel="patterns")
    axis.set_xticks([10, 100, 1_000, 10_000], ["10", "100", "1,000", "10,000"])
    axis.set_yticks([1, 10, 100, 1_000, 10_000], ["1 µs", "10 µs", "100 µs", "1 ms", "10 ms"])
    axis.minorticks_off()
    axis.grid(axis="y", color="#e3e5e8", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(
        f"CPU time from an event's JSON to the patterns it matches, {MIX.title}", loc="left", fontsize=10.5, pad=10
    )


def _shown(microseconds: float) -> str:
    return f"{microseconds / 1000:.1f} ms" if microseconds >= 1000 else f"{microseconds:.1f} µs"


_BESIDE: dict[str, Any] = {
    "textcoords": "offset points",
    "fontsize": 9.5,
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.5},
}


if __name__ == "__main__":
    draw(SOURCE, PICTURE)
