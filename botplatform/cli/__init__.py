"""The command line: a thin layer of words over what the other modules do."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from botplatform.errors import BotplatformError

__all__ = ["command", "main"]

# By name: the module that has the command, imported when it is used, and what `--help` says of it without that.
_COMMANDS = {
    "backup": ("state", "Copy the whole state into a new FILE, whether the platform runs or not."),
    "dead-letters": ("dead_letters", "Look at what was given up on, repair it, and have it handled again."),
    "debug": (
        "replay",
        "Run a past event, by its number or id in the log, under pdb from its handler's first line on.",
    ),
    "demo": ("local", "Start a platform on free ports, send it every sample in events/, and show what came of each."),
    "deploy": ("deploy", "Deploy the plugins to AWS: render serverless.yml, bundle, show what would change, and ask."),
    "event": ("talk", "Tell one event's whole story: what came in, who handled it, what that changed, and when."),
    "events": ("talk", "Show the log: every event, what became of it, and why; `botplatform event` tells all of one."),
    "explain": ("files", "Say who would handle the events in files, and why the others would not."),
    "logs": ("talk", "Show what the platform itself says: warnings, mistakes, tracebacks."),
    "new": ("local", "Write a starter plugin and its test."),
    "normalize": ("files", "Print the events in files as CloudEvents JSON, one a line; `-` reads standard input."),
    "plugins": ("local", "List the plugins, what each listens to and may do, and the mistakes that keep others out."),
    "replay": ("replay", "Handle past events again, by number or id in the log, or those that fit."),
    "restore": ("state", "Put the state in FILE, written by `backup`, in the place of the one there is."),
    "run": ("local", "Run the platform on this machine until Ctrl-C."),
    "schedule": ("local", "Look at schedules."),
    "send": ("talk", "Send files to the running platform through its real doors, signed as Slack and Alexa would."),
    "worker": ("worker", "Take events off SQS queues, on as many machines as you like, until Ctrl-C."),
}


class Commands(click.Group):
    """Shows what the platform foresees as one sentence, without a traceback, and imports only the command it runs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Put the command itself in the place of the words about it."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, command(name) if name else found, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a foreseen error ends it with status 1."""
        try:
            return super().invoke(ctx)
        except BotplatformError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=Commands,
    commands=[click.Command(name, help=about) for name, (_, about) in _COMMANDS.items()],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="botplatform", message="%(prog)s %(version)s")
def main() -> None:
    """Bots and IoT backends from small plugins: Slack, Alexa, MQTT, CloudTrail and the clock.

    Settings come from the environment and from .env; .env.example documents each.
    """
    from botplatform import codec

    codec.use_msgspec()


def command(name: str) -> click.Command:
    """The command of that name, its module imported; raises KeyError where there is none."""
    module, _ = _COMMANDS[name]
    found: click.Command = getattr(import_module(f"botplatform.cli.{module}"), name.replace("-", "_"))
    return found
