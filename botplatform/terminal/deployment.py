"""A deployment: what it would change, and what one can do with it then."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from botplatform.terminal.text import json_told

if TYPE_CHECKING:
    from botplatform.deploy.plan import Change
    from botplatform.deploy.stage import Stage

_COLOURS = {"+": "green", "~": "yellow", "-": "red"}


def show_plan(changes: Sequence[Change], missing: Sequence[str], as_json: bool) -> None:
    """Print what a deployment would add, change and remove, and what it will do without."""
    if as_json:
        for change in changes:
            click.echo(json_told(change._asdict()))
        return
    for kind, group in itertools.groupby(changes, key=lambda change: change.kind):
        click.echo(click.style(kind, bold=True))
        click.echo("\n".join(_changes(list(group))))
    signs = [change.sign for change in changes]
    counts = (f"{signs.count('+')} to add", f"{signs.count('~')} to change", f"{signs.count('-')} to remove")
    click.echo(click.style(", ".join(counts) if changes else "nothing to change", bold=True))
    for reason in missing:
        click.echo(click.style(reason, fg="yellow"), err=True)


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    """Those with something to tell, and how many others there are of each type."""
    others: Counter[tuple[str, str]] = Counter()
    for change in changes:
        if change.kind == "functions" or change.telling:
            yield _signed(change.sign, change.name)
            yield from (f"      {fact}" for fact in change.telling)
        else:
            others[change.sign, change.type] += 1
    for (sign, type_), count in others.items():
        yield _signed(sign, f"{count} x {type_.removeprefix('AWS::')}")


def _signed(sign: str, what: str) -> str:
    return click.style(f"  {sign} {what}", fg=_COLOURS[sign])


def show_next_steps(stage: Stage) -> None:
    """Print where a stage that was just deployed is, and how to try it."""
    outputs = stage.outputs
    click.echo(click.style(f"{stage.stack} is up", bold=True))
    for key, label in (("SlackUrl", "slack"), ("AlexaArn", "alexa"), ("TableName", "table"), ("QueueUrl", "queue")):
        if key in outputs:
            click.echo(f"  {label:<9}{outputs[key]}")
    click.echo(f"  try it   botplatform send --stage {stage.name} {_sample(stage)}")
    click.echo(f"  look     botplatform events --stage {stage.name} --follow")


def _sample(stage: Stage) -> Path:
    """A file to send first: one of this folder's that somebody in the stage listens to."""
    heard = [source for function in stage.functions for source in function.sources]
    found = (path for source in heard for path in sorted(Path("events", source).glob("*")))
    return next(found, Path("FILE"))
