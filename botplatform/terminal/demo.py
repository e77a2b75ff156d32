"""The demo: a line a sample, as it happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from botplatform.terminal.text import json_told, row

if TYPE_CHECKING:
    from botplatform.demo import Step


def show_demo(root: Path, keep: Path | None, as_json: bool) -> int:
    """Play the demo and print a line a sample as it happens; returns the exit status."""
    from botplatform import demo

    widths = _widths()
    if not as_json:
        click.echo(click.style(row(("sample", "handled by", "reply", "effects", "time"), widths), bold=True))
    wrong = count = 0
    with tempfile.TemporaryDirectory() as fresh:
        for step in demo.play(root / "events", root / "fixtures", root / "plugins", keep or Path(fresh)):
            count += 1
            wrong += bool(step.wrong)
            click.echo(json_told(vars(step)) if as_json else _step(step, widths))
    if not as_json:
        summary = f"{count} samples, {wrong} wrong" if wrong else f"{count} samples, each did what it should"
        click.echo(click.style(summary, fg="red" if wrong else "green"))
    return 1 if wrong else 0


def _widths() -> tuple[int, ...]:
    """The widths of the demo's columns, for the terminal there is; a pipe gets wide ones."""
    whole = shutil.get_terminal_size((180, 24)).columns
    sample, time_ = 30, 7
    rest = max(60, whole - sample - time_ - 8)
    return sample, rest * 3 // 10, rest * 3 // 10, rest * 4 // 10, time_


def _step(step: Step, widths: Sequence[int]) -> str:
    cells = (
        step.file.partition(".")[0],
        ", ".join(step.handlers) or "-",
        step.reply,
        "; ".join(step.effects),
        f"{step.seconds * 1000:.0f} ms",
    )
    lines = [row(cells, widths), *(click.style(f"    {reason}", fg="red") for reason in step.wrong)]
    return "\n".join(lines)
