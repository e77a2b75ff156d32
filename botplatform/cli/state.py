"""Commands that copy the state, and put a copy in its place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from botplatform.cli.options import settings

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@FILE
def backup(file: Path) -> None:
    """Copy the whole state into a new FILE, whether the platform runs or not.

    The copy is what there was at one moment, and is checked. It holds events with their secrets: keep it safe.
    """
    from botplatform.errors import StateUnavailable
    from botplatform.hosts.local.platform import DATABASE
    from botplatform.stores.sqlite.copying import copy

    state = settings().state
    if not (state / DATABASE).exists():
        raise StateUnavailable(f"there is no state in {state} yet: start the platform with `botplatform run`")
    with _progress("copying") as progress:
        size = copy(state / DATABASE, file, progress)
    click.echo(f"{file}: {size:,} bytes")


@click.command()
@FILE
def restore(file: Path) -> None:
    """Put the state in FILE, written by `backup`, in the place of the one there is.

    A platform that runs finishes what is under way and starts anew with it, within seconds. The state before is kept
    in the state folder, and can be restored like any backup.
    """
    from botplatform.hosts.local.restoring import restore

    known = settings()
    with _progress("copying") as progress:
        by_platform = restore(known, file, progress)
    click.echo(f"{file} is now the state in {known.state}{', and the platform runs on it' if by_platform else ''}")
    before = sorted(known.state.glob("*.before-restore-*Z"))
    if before:
        click.echo(f"the state before is kept as {before[-1]}")


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal that is told how much is done, and of how much."""
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show
