"""The command line: a thin layer of words over what the other modules do."""

from __future__ import annotations

from typing import Any

import click

from botplatform import codec
from botplatform.cli import dead_letters, deploy, files, local, replay, state, talk, worker
from botplatform.errors import BotplatformError

__all__ = ["main"]


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
    codec.use_msgspec()


for command in (
    *local.COMMANDS,
    *talk.COMMANDS,
    *dead_letters.COMMANDS,
    *replay.COMMANDS,
    *state.COMMANDS,
    *files.COMMANDS,
    *deploy.COMMANDS,
    *worker.COMMANDS,
):
    main.add_command(command)
