"""What an hour of all sources at once came to, as docs/soak.md tells it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

_PAGE = """\
# An hour of everything at once

`make soak` measures for half a minute how many events of all kinds the platform handles, with Mosquitto and those who
send on the same cores, and then sends half as many for an hour: readings over MQTT with QoS 1, signed Slack commands
and Alexa requests, CloudTrail records, CloudEvents whose handler emits and publishes, texts that are mostly suppressed,
a schedule each minute. The state is in SQLite with `synchronous=FULL`. At the end every event has to have been counted,
and once.

{events:,} events in {minutes:.0f} minutes: {load:,.0f} a second, half of {capacity:,.0f}, on {cores} cores with Python
{python}. {note}

| median | first third | second third | last third |
|---|---|---|---|
{rows}

![Memory, open files and latency over the hour](soak.png)

`python -m benchmarks.soak.plot` draws it (once `benchmarks/requirements.txt` is installed); docs/soak.json has all
samples. What grows is the log, until it has as many events or days as the [settings](settings.md) say.
"""
_ROWS = {
    "memory": "resident memory, MB",
    "files": "open files",
    "threads": "threads",
    "p50 ms": "a Slack command, p50, ms",
    "p99 ms": "a Slack command, p99, ms",
}


def page() -> str:
    """The text of docs/soak.md: what docs/soak.json, written by `make soak`, says."""
    result = json.loads(Path(__file__).with_name("soak.json").read_text())
    samples = result["samples"]
    return _PAGE.format(
        events=result["events"],
        minutes=samples[-1]["minutes"],
        load=result["load events/s"],
        capacity=result["capacity events/s"],
        cores=result["machine"]["cores"],
        python=result["machine"]["Python"],
        note=result.get("note", ""),
        rows="\n".join(f"| {label} | {' | '.join(_thirds(samples, name))} |" for name, label in _ROWS.items()),
    )


def _thirds(samples: list[dict[str, Any]], name: str) -> list[str]:
    third = max(1, len(samples) // 3)
    parts = (samples[:third], samples[third:-third] or samples, samples[-third:])
    return [f"{statistics.median(sample[name] for sample in part):,.1f}" for part in parts]
