"""What the benchmarks last gave, as README.md and docs/performance.md tell it."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


class Claim(NamedTuple):
    """A sentence of the README: how a row of a benchmark's table compares with another one."""

    what: str
    benchmark: str
    title: str
    row: str
    of: str


CLAIMS = (
    Claim(
        "CloudTrail event to the patterns it matches, 10,000 of them",
        "matching",
        "10,000 patterns, on source and event name",
        "the index, from bytes",
        "event-ruler, from text",
    ),
    Claim(
        "the same, beside a loop over 10,000 Python functions",
        "matching",
        "10,000 patterns, on source and event name",
        "the index, from bytes",
        "a loop of functions",
    ),
    Claim(
        "the same to called handlers, where 95 % of the events concern nobody",
        "route",
        "95 % of the events match nothing",
        "10,000 patterns",
        "orjson.loads",
    ),
    Claim(
        "EventBridge event to a CloudEvent",
        "normalize",
        "bytes to an event",
        "the platform, data built",
        "aws_lambda_powertools",
    ),
)


def claims() -> str:
    """The README's table: what an event costs, beside others in the same run."""
    return _table(("", "CPU time per event", "beside"), [_claim(claim) for claim in CLAIMS])


def bars() -> str:
    """Every bar of every benchmark, what there was, and whether it was met."""
    found = [(table["title"], bar) for name in _measured() for table in _tables(name) for bar in table["bars"]]
    rows = [
        (title.partition(" (")[0], bar["bar"], _spread(bar["rounds"]), _MET[bar["met"]], _spread(bar.get("by hand")))
        for title, bar in found
    ]
    return _table(("measured", "bar", "there was: median (lowest to highest)", "", "by hand"), rows)


def stages() -> str:
    """Where the time from bytes to called handlers goes, stage by stage."""
    tables = _tables("stages")
    names = [row["name"] for row in tables[0]["rows"]]
    columns = [[_median(row) for row in table["rows"]] for table in tables]
    rows = [(name, *(f"{column[number]:.1f}" for column in columns)) for number, name in enumerate(names)]
    titles = [table["title"].partition(", ")[2].partition(" (")[0] for table in tables]
    return _table(("µs of CPU, this and all above", *titles), rows)


def alexa_stages() -> str:
    """The same for an intent of Alexa's, from bytes to bytes."""
    (table,) = (table for table in _tables("alexa_intent") if "stage by stage" in table["title"])
    rows = [(row["name"], f"{_median(row):.1f}") for row in table["rows"]]
    return _table(("µs of CPU, this and all above", "an intent"), rows)


def durable_stages() -> str:
    """The same for an event that is accepted, handled and on disk, as times the first stage."""
    (table,) = _tables("durable_stages")
    rows = [(row["name"], f"{_median(row):.1f}", f"{statistics.median(row['ratios']):.2g}") for row in table["rows"]]
    return _table(("this and all above", "µs of CPU", "times the first"), rows)


def machine() -> str:
    """On what the figures were taken."""
    about = json.loads((RESULTS / "matching.json").read_text())["machine"]
    return f"Last run on {about['cores']} cores with Python {about['Python']}, while other work had them, too."


PARTS: dict[str, Callable[[], str]] = {
    "claims": claims,
    "bars": bars,
    "stages": stages,
    "alexa stages": alexa_stages,
    "durable stages": durable_stages,
    "machine": machine,
}


def page(name: str) -> str:
    """A page with its derived parts as they have to be; `name` is a path in the repository."""
    text = (ROOT / name).read_text()
    for part, made in PARTS.items():
        if f"<!-- derived: {part} -->" in text:
            new = f"<!-- derived: {part} -->\n\n{made()}\n\n<!-- end -->"
            text = re.sub(rf"<!-- derived: {part} -->\n.*?<!-- end -->", lambda _: new, text, flags=re.S)  # noqa: B023
    return text


def _claim(claim: Claim) -> tuple[str, str, str]:
    (table,) = (table for table in _tables(claim.benchmark) if claim.title in table["title"])
    rows = {row["name"]: row for row in table["rows"]}
    ours, other = rows[claim.row], rows[claim.of]
    ratio = statistics.median(a / b for a, b in zip(ours["ratios"], other["ratios"], strict=True))
    return claim.what, f"{_median(ours):.1f} µs", f"{_compared(ratio)} {_called(claim.of)}"


def _called(row: str) -> str:
    return {
        "event-ruler, from text": "AWS's event-ruler (Java)",
        "a loop of functions": "that loop",
        "aws_lambda_powertools": "Powertools' parser",
    }.get(row, f"`{row}` of its bytes")


def _compared(ratio: float) -> str:
    return f"1/{1 / ratio:,.0f} of" if ratio < 0.25 else f"{ratio:.2g} ×"


def _measured() -> Iterator[str]:
    yield from (file.stem for file in sorted(RESULTS.glob("*.json")))


def _tables(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RESULTS / f"{name}.json").read_text())["tables"]
    return found


def _median(row: dict[str, Any]) -> float:
    return float(statistics.median(next(iter(figures.values())) for figures in row["rounds"]))


def _spread(rounds: Sequence[float] | None) -> str:
    if not rounds:
        return ""
    median, least, most = (_shown(of(rounds)) for of in (statistics.median, min, max))
    return f"{median} ({least} to {most})"


def _shown(figure: float) -> str:
    if figure < 0.25:
        return f"1/{1 / figure:,.0f}" if figure else "0"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


_MET = {True: "met", False: "**missed**", None: "not measured"}
