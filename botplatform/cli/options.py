"""Options that several commands take, and what they lead to: the settings, the plugins, the files."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from botplatform.errors import BotplatformError, Rejected

if TYPE_CHECKING:
    from botplatform.deploy.stage import Stage
    from botplatform.plugins import Plugins
    from botplatform.settings import Settings

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
PLUGINS = click.option(
    "--plugins",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with plugins; may be given more than once. [default: BOTPLATFORM_PLUGINS, or plugins/]",
)
STAGE = click.option("--stage", default="dev", show_default=True, help="Name of what is deployed: dev, prod, …")
OR_STAGE = click.option("--stage", default="", help="Name of a stage on AWS. [default: the platform on this machine]")
REGION = click.option("--region", default="", help="AWS region. [default: AWS_REGION, or us-east-1]")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line, for scripts.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")


def ask(question: str, yes: bool) -> None:
    """Go on only if somebody at the terminal, or `yes`, says so; raises BotplatformError where nobody is there."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BotplatformError("nobody is there to be asked: say --yes")
    click.confirm(question, abort=True, err=True)


def settings(overrides: dict[str, str] | None = None) -> Settings:
    """The settings from .env, the environment, and the command line, each over the one before."""
    from dotenv import dotenv_values

    from botplatform.settings import Settings

    stored = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return Settings.read({**stored, **os.environ, **(overrides or {})})


def plugin_folders(settings: Settings, given: Sequence[Path]) -> list[Path]:
    """The folders named, or the one of the settings if it is there."""
    return list(given) or ([settings.plugins] if settings.plugins.is_dir() else [])


def load(folders: Sequence[Path]) -> Plugins:
    """The plugins in the folders and those of installed packages, without those that are blocked."""
    from botplatform.plugins import Plugins

    known = settings()
    return Plugins(plugin_folders(known, folders), entry_points=True, blocked=known.block)


def staged(name: str, region: str) -> Stage:
    """A stage, in the region named or the one of the settings."""
    from botplatform.deploy.functions import SERVICE, check_stage
    from botplatform.deploy.stage import Stage

    check_stage(name)
    return Stage(name, SERVICE, settings({"AWS_REGION": region} if region else None).raw)


def complain(path: Path, rejected: Rejected) -> None:
    """Say on stderr what is wrong with a file."""
    click.echo(rejected if rejected.where == str(path) else f"{path}: {rejected}", err=True)
