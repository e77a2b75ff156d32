"""Commands on events in files: print them, and say who would handle them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from botplatform.cli.options import AS_JSON, FILES, PLUGINS, complain, load
from botplatform.errors import Rejected

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.source import Source


@click.command()
@FILES
@click.option("--source", "name", help="Read the files as this source's. [default: whichever recognizes them]")
def normalize(files: Sequence[Path], name: str | None) -> None:
    """Print the events in files as CloudEvents JSON, one a line; `-` reads standard input, .gz is read as it is.

    What is no event is one line on standard error with its place; the rest goes on, and the exit status is 1.
    """
    from botplatform.plugins import Plugins

    failed = False
    for path, event in _events(files, Plugins().sources, name):
        if isinstance(event, Rejected):
            failed = True
            complain(path, event)
        else:
            click.echo(event.to_json())
    sys.exit(1 if failed else 0)


@click.command()
@FILES
@PLUGINS
@AS_JSON
def explain(files: Sequence[Path], folders: Sequence[Path], as_json: bool) -> None:
    """Say who would handle the events in files, and why the others would not."""
    from botplatform.terminal.plugins import show_explanation

    loaded = load(folders)
    failed = False
    for path, event in _events(files, loaded.sources, None):
        if isinstance(event, Rejected):
            failed = True
            complain(path, event)
        else:
            show_explanation(event, loaded, as_json)
    sys.exit(1 if failed else 0)


def _events(
    files: Sequence[Path], sources: Mapping[str, Source], name: str | None
) -> Iterator[tuple[Path, Event | Rejected]]:
    """Each event in some files, and a Rejected for what is none; a bad file does not keep the others out."""
    from botplatform.hosts.records import recognized
    from botplatform.sending import content
    from botplatform.source import Raw

    if name is not None and name not in sources:
        raise Rejected(f"there is no source {name!r}; there are {', '.join(sources)}")
    for path in files:
        try:
            raw = Raw(sys.stdin.buffer.read() if str(path) == "-" else content(path))
            source = sources[name] if name else recognized(sources, raw)
            for event in source.normalize(raw):
                yield path, event
        except Rejected as rejected:
            yield path, rejected
