"""The figures that a benchmark wrote, as docs and plots read them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")


def tables(name: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """The tables of a benchmark's last run."""
    found: list[dict[str, Any]] = json.loads((folder / f"{name}.json").read_text())["tables"]
    return found


def medians(row: Mapping[str, Any]) -> dict[str, float]:
    """The median over all rounds of each figure of a table's row."""
    return {name: statistics.median(figures[name] for figures in row["rounds"]) for name in row["rounds"][0]}


def rows(tables: list[dict[str, Any]], words: str) -> Iterator[tuple[str, dict[str, float]]]:
    """The names and medians of all rows of those tables that have these words in their title."""
    for table in tables:
        if words in table["title"]:
            yield from ((row["name"], medians(row)) for row in table["rows"])
