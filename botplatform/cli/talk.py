"""Commands that talk to a platform, here or on AWS: send it events, read its log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from botplatform.cli.options import AS_JSON, FILES, OR_STAGE, REGION, complain, settings, staged
from botplatform.cli.searching import searching
from botplatform.errors import Rejected

if TYPE_CHECKING:
    from botplatform.sending import Sent
    from botplatform.stores.sqlite.search import Search
    from botplatform.tail import Entry


LINES = click.option(
    "-n", "--lines", default=20, show_default=True, type=click.IntRange(0), help="How many of the latest to show."
)
FOLLOW = click.option("-f", "--follow", is_flag=True, help="Go on with new ones until Ctrl-C.")
# AWS lets an account filter 5 logs a second ("CloudWatch Logs quotas", FilterLogEvents), and each function has one.
_PAUSE = 3.0
# One event on a stage has an entry of each function and attempt.
_MOST = 1000
# SQLite's integers end here: what is greater is an id.
_NUMBERS = 2**63


@click.command()
@FILES
@click.option("--times", default=1, show_default=True, type=click.IntRange(1), help="Send each file so often.")
@click.option("--url", default="", help="Where the platform is. [default: as it says in the state folder]")
@OR_STAGE
@REGION
def send(files: Sequence[Path], times: int, url: str, stage: str, region: str) -> None:
    """Send files to the running platform through its real doors, signed as Slack and Alexa would.

    An Alexa request gets the current time; a file sent twice is the same event twice, except for MQTT, where every
    publish is a new one. With --stage they go to AWS: to Slack's URL there, to IoT Core, to the bus, and what only AWS
    itself may bring (Alexa, CloudTrail, schedules) straight to the functions.
    """
    send_one = _sender(url, stage, region)
    failed = False
    paths = [path for path in files for _ in range(times)]
    with click.progressbar(paths, file=sys.stderr, hidden=len(paths) < 20, label="sending") as progress:
        for path in progress:
            try:
                sent = send_one(path)
            except Rejected as rejected:
                failed = True
                complain(path, rejected)
                continue
            failed = failed or not sent.accepted
            status = "published" if sent.status == 0 else str(sent.status)
            click.echo(f"{path}: {sent.source} {status} {sent.text}".rstrip())
    sys.exit(1 if failed else 0)


def _sender(url: str, stage: str, region: str) -> Callable[[Path], Sent]:
    if stage:
        from botplatform.deploy.sending import StageSender

        return StageSender(staged(stage, region).there()).send
    from botplatform.sending import Sender

    return Sender(settings(), url).send


@click.command()
@LINES
@FOLLOW
@searching
@OR_STAGE
@REGION
@AS_JSON
def events(lines: int, follow: bool, search: Search, stage: str, region: str, as_json: bool) -> None:
    """Show the log: every event, what became of it, and why; `botplatform event` tells all of one.

    With --follow, an event that comes to fit later, when it was given up, is shown then.
    """
    from botplatform.tail import LocalEvents
    from botplatform.terminal import log
    from botplatform.terminal.text import json_told

    told = json_told if as_json else log.entry_told
    if stage:
        from botplatform.deploy.stage_log import StageEvents

        log.show(StageEvents(staged(stage, region).there(), search), lines, follow, told, _PAUSE)
        return
    with log.local_log(settings().state) as kept:
        log.show(LocalEvents(kept, search), lines, follow, told)


@click.command()
@click.argument("event", metavar="NUMBER|ID")
@OR_STAGE
@REGION
@AS_JSON
def event(event: str, stage: str, region: str, as_json: bool) -> None:
    """Tell one event's whole story: what came in, who handled it, what that changed, sent and replied, and when.

    It is named by its number in the log or by its id; on a stage, by its id. Secrets are masked.
    """
    from botplatform.terminal.story import story_told
    from botplatform.terminal.text import json_told

    found = _on_stage(event, stage, region) if stage else _in_log(event)
    if not found:
        raise click.ClickException(f"there is no event {event} in the log: `botplatform events` lists them")
    told = [(json_told if as_json else story_told)(entry) for entry in found]
    click.echo("\n".join(told) if as_json else "\n\n".join(told))


def _in_log(event: str) -> Sequence[Entry]:
    """The entries with this number, or else with this id."""
    from botplatform.terminal.log import local_log

    with local_log(settings().state) as log:
        entry = log.event(int(event)) if event.isdecimal() and int(event) < _NUMBERS else None
        return [entry] if entry else [found for number in log.by_id(event) if (found := log.event(number))]


def _on_stage(event: str, stage: str, region: str) -> Sequence[Entry]:
    """The entries of the last two weeks with this id: one for each function that had it, or had it again."""
    from botplatform.deploy.stage_log import StageEvents
    from botplatform.stores.sqlite.search import Search

    there = staged(stage, region).there()
    entries = StageEvents(there, Search(text=event)).latest(_MOST)
    return [entry for entry in entries if entry.get("id") == event]


@click.command()
@LINES
@FOLLOW
@OR_STAGE
@REGION
def logs(lines: int, follow: bool, stage: str, region: str) -> None:
    """Show what the platform itself says: warnings, mistakes, tracebacks; of a stage, all its functions write."""
    from botplatform.terminal import log

    if stage:
        from botplatform.deploy.stage_log import StageLines

        log.show(StageLines(staged(stage, region).there()), lines, follow, log.line_told, _PAUSE)
        return
    with log.local_lines(settings().state) as tail:
        log.show(tail, lines, follow, str)
