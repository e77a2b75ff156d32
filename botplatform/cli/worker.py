"""The command that runs a worker on this machine, one of many."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from botplatform.cli.options import PLUGINS, plugin_folders, settings


@click.command()
@click.option(
    "--queue",
    "queues",
    multiple=True,
    required=True,
    metavar="URL",
    help="SQS queue to take messages from; may be given more than once. The first also gets what plugins emit.",
)
@PLUGINS
@click.option("--table", metavar="NAME", help="DynamoDB table that keeps the state. [default: BOTPLATFORM_TABLE]")
@click.option("--create-table", is_flag=True, help="Make the table if there is none.")
@click.option(
    "--dead-letters",
    default="",
    metavar="URL",
    help="Queue for what cannot be handled. [default: see each queue's redrive]",
)
@click.option(
    "--threads",
    default=16,
    show_default=True,
    type=click.IntRange(1, 500),
    help="How many messages are handled at a time.",
)
@click.option(
    "--deadline", default=30.0, show_default=True, type=click.FloatRange(1), help="Seconds a handler may run."
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each event, for scripts.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def worker(
    queues: Sequence[str],
    folders: Sequence[Path],
    table: str | None,
    create_table: bool,
    dead_letters: str,
    threads: int,
    deadline: float,
    as_json: bool,
    verbose: bool,
) -> None:
    """Take events off SQS queues, on as many machines as you like, until Ctrl-C.

    Handlers run as they do everywhere, with their state in a DynamoDB table: however often a message is delivered, and
    to whichever machine, it counts once. Schedules tick on every machine, and with MQTT_URL each listens to a share of
    the broker's messages. Standard output gets a line of JSON with counts each minute.
    """
    from botplatform.hosts.logs import log_to_stderr
    from botplatform.hosts.worker.journal import Journal
    from botplatform.hosts.worker.main import serve
    from botplatform.hosts.worker.worker import Worker, make_table

    log_to_stderr(verbose)
    known = settings({"BOTPLATFORM_TABLE": table} if table else None)
    if create_table:
        make_table(known)
    chosen = plugin_folders(known, folders)
    journal = Journal(sys.stdout, every=as_json)
    made = Worker(known, queues, chosen, journal, dead_letters=dead_letters, threads=threads, deadline=deadline)
    serve(made, partial(click.echo, err=True))
