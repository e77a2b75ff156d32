"""Commands that run the platform on this machine, and write and list plugins."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from botplatform.cli.options import AS_JSON, PLUGINS, load, plugin_folders, settings


@click.command()
@PLUGINS
@click.option("--port", help="Port for HTTP, 0 for any free one. [default: BOTPLATFORM_PORT, or 8080]")
@click.option("--state", help="Folder that keeps the state. [default: BOTPLATFORM_STATE, or .botplatform]")
@click.option("--block", multiple=True, metavar="NAME", help="Do not load this plugin; may be given more than once.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def run(folders: Sequence[Path], port: str | None, state: str | None, block: Sequence[str], verbose: bool) -> None:
    """Run the platform on this machine until Ctrl-C."""
    from botplatform.hosts.local.main import serve

    given = {"BOTPLATFORM_PORT": port, "BOTPLATFORM_STATE": state, "BOTPLATFORM_BLOCK": ",".join(block)}
    known = settings({name: value for name, value in given.items() if value})
    serve(known, plugin_folders(known, folders), verbose)


@click.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the demo's state in this folder.")
@AS_JSON
def demo(keep: Path | None, as_json: bool) -> None:
    """Start a platform on free ports, send it every sample in events/, and show what came of each.

    Exits with 0 only if each did what fixtures/samples.json says it should.
    """
    from botplatform.terminal.demo import show_demo

    sys.exit(show_demo(Path.cwd(), keep, as_json))


@click.command()
@PLUGINS
@AS_JSON
@click.option("--permissions", is_flag=True, help="Show what each function of theirs would be allowed to do on AWS.")
def plugins(folders: Sequence[Path], as_json: bool, permissions: bool) -> None:
    """List the plugins, what each listens to and may do, and the mistakes that keep others out."""
    from botplatform.terminal.plugins import show_permissions, show_plugins

    loaded = load(folders)
    show_permissions(loaded, as_json) if permissions else show_plugins(loaded, as_json)
    sys.exit(1 if loaded.mistakes else 0)


@click.command()
@click.argument("name")
@click.option(
    "--on",
    "listens_to",
    required=True,
    metavar="WHAT",
    help="What it listens to: slack.command, slack.event, slack.action, alexa.intent, alexa.launch, mqtt.topic, "
    "cloudtrail.event, schedule.on or cloudevents.event.",
)
def new(name: str, listens_to: str) -> None:
    """Write a starter plugin and its test."""
    from botplatform import scaffold

    if listens_to not in scaffold.STARTERS:
        raise click.BadParameter(f"{listens_to!r}; there are {', '.join(scaffold.STARTERS)}", param_hint="--on")
    plugin, test = scaffold.write(name, listens_to, Path.cwd())
    click.echo(f"wrote {plugin.relative_to(Path.cwd())} and {test.relative_to(Path.cwd())}")
    click.echo(f"try it: python -m pytest {test.relative_to(Path.cwd())}")


@click.group()
def schedule() -> None:
    """Look at schedules."""


@schedule.command("next")
@click.argument("expression")
@click.option("--timezone", default="UTC", show_default=True, help="IANA time zone, such as Europe/Berlin.")
@click.option("--after", metavar="ISO", help="Begin after this instant. [default: now]")
@click.option("-n", "count", default=5, show_default=True, type=click.IntRange(1), help="How many.")
def schedule_next(expression: str, timezone: str, after: str | None, count: int) -> None:
    """Print when a cron(...) or rate(...) expression is due next, one instant (UTC) a line."""
    from itertools import islice

    from botplatform.sources.schedule.expression import parse

    start = _instant(after) if after else datetime.now(UTC)
    for instant in islice(parse(expression, timezone).after(start), count):
        click.echo(instant.isoformat().replace("+00:00", "Z"))


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no ISO 8601 time", param_hint="--after") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
