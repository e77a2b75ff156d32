"""`python -m benchmarks [NAME …]`: measures, and prints tables in Markdown."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.measure import Race, Table, Wrong

NAMES = ("http_server", "slack_command", "mqtt_durable", "cold_start", "scale_out")
ROUNDS = 7
_PARTS = (
    *("botplatform", "flask", "waitress", "paho-mqtt", "cheroot", "gunicorn", "granian"),
    *("boto3", "aws-lambda-powertools", "chalice", "slack-bolt", "ask-sdk-core"),
)


def main() -> int:
    """Measure what was asked for; 1 when something was not done as it should have been."""
    options = _options()
    tables: list[Table] = []
    about = machine()
    print(", ".join(f"{name} {value}" for name, value in about.items()), end="\n\n")
    try:
        for name in options.names or NAMES:
            with closing(importlib.import_module(f"benchmarks.{name}").races()) as races:
                tables += [_shown(race, options.rounds) for race in races]
    except Wrong as wrong:
        print(f"\nwrong: {wrong}", file=sys.stderr)
        return 1
    if options.json:
        figures = {"machine": about, "rounds": options.rounds, "tables": [table.to_dict() for table in tables]}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


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


def _shown(race: Race, rounds: int) -> Table:
    table = race.run(rounds)
    print("\n".join(table.lines()), end="\n\n", flush=True)
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description="Measure the platform beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all without any")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds that count ({ROUNDS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round")
    options = parser.parse_args()
    unknown = sorted({*options.names} - {*NAMES})
    if unknown or options.rounds < 1:
        parser.error(f"there is no {unknown[0]}" if unknown else "there is at least one round")
    return options


if __name__ == "__main__":
    sys.exit(main())
