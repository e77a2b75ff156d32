"""Commands that talk to a platform, here or on AWS: send it events, read its log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from botplatform.cli.options import AS_JSON, FILES, REGION, settings, staged

if TYPE_CHECKING:
    from botplatform.sending import Sent


STAGE = click.option("--stage", default="", help="Name of a stage on AWS. [default: the platform on this machine]")
LINES = click.option(
    "-n", "--lines", default=20, show_default=True, type=click.IntRange(0), help="How many of the latest to show."
)
FOLLOW = click.option("-f", "--follow", is_flag=True, help="Go on with new ones until Ctrl-C.")
# AWS lets an account filter 5 logs a second ("CloudWatch Logs quotas", FilterLogEvents), and each function has one.
_PAUSE = 3.0


@click.command()
@FILES
@click.option("--times", default=1, show_default=True, type=click.IntRange(1), help="Send each file so often.")
@click.option("--url", default="", help="Where the platform is. [default: as it says in the state folder]")
@STAGE
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
            sent = send_one(path)
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
@STAGE
@REGION
@AS_JSON
def events(lines: int, follow: bool, stage: str, region: str, as_json: bool) -> None:
    """Show the log: every event, what became of it, and why."""
    from botplatform.terminal import log
    from botplatform.terminal.text import json_told

    told = json_told if as_json else log.entry_told
    if stage:
        from botplatform.deploy.stage_log import StageEvents

        log.show(StageEvents(staged(stage, region).there()), lines, follow, told, _PAUSE)
        return
    with log.local_events(settings().state) as tail:
        log.show(tail, lines, follow, told)


@click.command()
@LINES
@FOLLOW
@STAGE
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


COMMANDS = (send, events, logs)
