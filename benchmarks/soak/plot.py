"""`python -m benchmarks.soak.plot`: draws docs/soak.png from docs/soak.json."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

ROWS = {"memory": "resident memory, MB", "files": "open files", "p50 ms": "a command, p50, ms", "p99 ms": "p99, ms"}


def draw(figures: Path, picture: Path) -> None:
    """Draw what a soak gave, one curve below the other."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    result = json.loads(figures.read_text())
    samples = result["samples"]
    minutes = [sample["minutes"] for sample in samples]
    figure, axes = pyplot.subplots(len(ROWS), sharex=True, figsize=(9, 8), layout="constrained")
    for axis, (name, label) in zip(axes, ROWS.items(), strict=True):
        axis.plot(minutes, [sample[name] for sample in samples], linewidth=1.2, color="#2b6cb0")
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_title(f"{result['events']:,} events at {result['load events/s']:,.0f}/s, half of the capacity")
    axes[-1].set_xlabel("minutes")
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    draw(Path("docs/soak.json"), Path("docs/soak.png"))
