"""`python -m benchmarks [NAME …]`: measures, prints tables in Markdown, and writes all figures as JSON."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.metadata
import json
import os
import platform
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.bars import Verdict, summary
from benchmarks.measure import Race, Table, Wrong

HERE = Path(__file__).parent
RESULTS = HERE / "results"
NAMES = (
    "normalize",
    "route",
    "stages",
    "matching",
    "compiling",
    "topics",
    "slack_command",
    "http_server",
    "alexa_intent",
    "mqtt_durable",
    "durable_events",
    "durable_stages",
    "deduplication",
    "start",
    "cold_start",
    "memory",
    "scale_out",
)
ROUNDS = 7
_PARTS = (
    *("botplatform", "flask", "waitress", "paho-mqtt", "cheroot", "gunicorn", "granian", "msgspec", "orjson"),
    *("boto3", "aws-lambda-powertools", "chalice", "slack-bolt", "ask-sdk-core", "cloudevents", "celery", "dramatiq"),
    "huey",
)


def main() -> int:
    """Measure what was asked for; 1 when something was not done as it should have been."""
    options = _options()
    about = machine()
    print(", ".join(f"{name} {value}" for name, value in about.items()), end="\n\n")
    verdicts: list[tuple[str, Verdict]] = []
    try:
        for name in options.names or NAMES:
            tables = measured(name, options.rounds)
            _write(options.json / f"{name}.json", {"machine": about, "rounds": options.rounds}, tables)
            verdicts += [(table.title, verdict) for table in tables for verdict in table.verdicts()]
    except Wrong as wrong:
        print(f"\nwrong: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\n".join(summary(verdicts)))
    return 0


def measured(name: str, rounds: int) -> list[Table]:
    """Run all races of a benchmark, and print each table as soon as it is there."""
    with closing(importlib.import_module(f"benchmarks.{name}").races()) as races:
        return [_shown(race, rounds) for race in races]


def machine() -> dict[str, Any]:
    """What the figures depend on: the machine, how busy it was at the start, and the versions."""
    versions = {}
    for name in _PARTS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "Python": platform.python_version(),
        **versions,
    }


def question(name: str) -> str:
    """What a benchmark asks: the first line of its module, which is read and not imported."""
    file = HERE / f"{name}.py"
    text = (file if file.exists() else HERE / name / "__init__.py").read_text()
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _shown(race: Race, rounds: int) -> Table:
    table = race.run(rounds)
    print("\n".join(table.lines()), end="\n\n", flush=True)
    return table


def _write(file: Path, about: dict[str, Any], tables: list[Table]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figures = {**about, "tables": [table.to_dict() for table in tables]}
    file.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description="Measure the platform beside its peers.",
        epilog="all of these run without a NAME:\n" + "\n".join(f"  {name:15} {question(name)}" for name in NAMES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a benchmark of the list below")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds that count ({ROUNDS})")
    parser.add_argument(
        "--json", type=Path, metavar="FOLDER", default=RESULTS, help="where NAME.json goes (benchmarks/results)"
    )
    options = parser.parse_args()
    unknown = sorted({*options.names} - {*NAMES})
    if unknown or options.rounds < 1:
        parser.error(f"there is no {unknown[0]}" if unknown else "there is at least one round")
    return options


if __name__ == "__main__":
    sys.exit(main())
