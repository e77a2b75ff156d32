"""The command line: a thin layer of words over what the other modules do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from botplatform.errors import BotplatformError, Rejected

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.plugins import Plugins
    from botplatform.settings import Settings
    from botplatform.source import Source

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
PLUGINS = click.option(
    "--plugins",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with plugins; may be given more than once. [default: BOTPLATFORM_PLUGINS, or plugins/]",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line, for scripts.")


class Commands(click.Group):
    """Shows what the platform foresees as one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a foreseen error ends it with status 1."""
        try:
            return super().invoke(ctx)
        except BotplatformError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="botplatform", message="%(prog)s %(version)s")
def main() -> None:
    """Bots and IoT backends from small plugins: Slack, Alexa, MQTT, CloudTrail and the clock.

    Settings come from the environment and from .env; .env.example documents each.
    """


@main.command()
@PLUGINS
@click.option("--port", help="Port for HTTP, 0 for any free one. [default: BOTPLATFORM_PORT, or 8080]")
@click.option("--state", help="Folder that keeps the state. [default: BOTPLATFORM_STATE, or .botplatform]")
@click.option("--block", multiple=True, metavar="NAME", help="Do not load this plugin; may be given more than once.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def run(folders: Sequence[Path], port: str | None, state: str | None, block: Sequence[str], verbose: bool) -> None:
    """Run the platform on this machine until Ctrl-C."""
    from botplatform.hosts.local.main import serve

    given = {"BOTPLATFORM_PORT": port, "BOTPLATFORM_STATE": state, "BOTPLATFORM_BLOCK": ",".join(block)}
    settings = _settings({name: value for name, value in given.items() if value})
    serve(settings, _folders(settings, folders), verbose)


@main.command()
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the demo's state in this folder.")
@AS_JSON
def demo(keep: Path | None, as_json: bool) -> None:
    """Start a platform on free ports, send it every sample in events/, and show what came of each.

    Exits with 0 only if each did what fixtures/samples.json says it should.
    """
    from botplatform.terminal import show_demo

    sys.exit(show_demo(Path.cwd(), keep, as_json))


@main.command()
@FILES
@click.option("--times", default=1, show_default=True, type=click.IntRange(1), help="Send each file so often.")
@click.option("--url", default="", help="Where the platform is. [default: as it says in the state folder]")
def send(files: Sequence[Path], times: int, url: str) -> None:
    """Send files to the running platform through its real doors, signed as Slack and Alexa would.

    An Alexa request gets the current time; a file sent twice is the same event twice, except for MQTT, where every
    publish is a new one.
    """
    from botplatform.sending import Sender

    sender = Sender(_settings(), url)
    failed = False
    paths = [path for path in files for _ in range(times)]
    with click.progressbar(paths, file=sys.stderr, hidden=len(paths) < 20, label="sending") as progress:
        for path in progress:
            sent = sender.send(path)
            failed = failed or not sent.accepted
            status = "published" if sent.status == 0 else str(sent.status)
            click.echo(f"{path}: {sent.source} {status} {sent.text}".rstrip())
    sys.exit(1 if failed else 0)


@main.command()
@FILES
@click.option("--source", "name", help="Read the files as this source's. [default: whichever recognizes them]")
def normalize(files: Sequence[Path], name: str | None) -> None:
    """Print the events in files as CloudEvents JSON, one a line; `-` reads standard input, .gz is read as it is.

    What is no event is one line on standard error with its place; the rest goes on, and the exit status is 1.
    """
    from botplatform.plugins import Plugins

    sources = Plugins().sources
    failed = False
    for path, event in _events(files, sources, name):
        if isinstance(event, Rejected):
            failed = True
            _complain(path, event)
        else:
            click.echo(event.to_json())
    sys.exit(1 if failed else 0)


@main.command()
@PLUGINS
@AS_JSON
def plugins(folders: Sequence[Path], as_json: bool) -> None:
    """List the plugins, what each listens to and may do, and the mistakes that keep others out."""
    from botplatform.terminal import show_plugins

    loaded = _load(folders)
    show_plugins(loaded, as_json)
    sys.exit(1 if loaded.mistakes else 0)


@main.command()
@click.option(
    "-n", "--lines", default=20, show_default=True, type=click.IntRange(0), help="How many of the latest to show."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new ones until Ctrl-C.")
@AS_JSON
def events(lines: int, follow: bool, as_json: bool) -> None:
    """Show the log: every event, what became of it, and why."""
    from botplatform.terminal import show_events

    show_events(_settings().state, lines, follow, as_json)


@main.command()
@FILES
@PLUGINS
@AS_JSON
def explain(files: Sequence[Path], folders: Sequence[Path], as_json: bool) -> None:
    """Say who would handle the events in files, and why the others would not."""
    from botplatform.terminal import show_explanation

    loaded = _load(folders)
    failed = False
    for path, event in _events(files, loaded.sources, None):
        if isinstance(event, Rejected):
            failed = True
            _complain(path, event)
        else:
            show_explanation(event, loaded, as_json)
    sys.exit(1 if failed else 0)


@main.command()
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


@main.group()
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


def _settings(overrides: dict[str, str] | None = None) -> Settings:
    """The settings from .env, the environment, and the command line, each over the one before."""
    from dotenv import dotenv_values

    from botplatform.settings import Settings

    stored = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return Settings.read({**stored, **os.environ, **(overrides or {})})


def _folders(settings: Settings, given: Sequence[Path]) -> list[Path]:
    return list(given) or ([settings.plugins] if settings.plugins.is_dir() else [])


def _load(folders: Sequence[Path]) -> Plugins:
    from botplatform.plugins import Plugins

    settings = _settings()
    return Plugins(_folders(settings, folders), entry_points=True, blocked=settings.block)


def _complain(path: Path, rejected: Rejected) -> None:
    click.echo(rejected if rejected.where == str(path) else f"{path}: {rejected}", err=True)


def _events(
    files: Sequence[Path], sources: dict[str, Source], name: str | None
) -> Iterator[tuple[Path, Event | Rejected]]:
    """Each event in some files, and a Rejected for what is none; a bad file does not keep the others out."""
    from botplatform.hosts.local.doors import recognized
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
