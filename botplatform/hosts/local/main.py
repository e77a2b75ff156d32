"""`botplatform run`: starts the local host, says where everything is, and stops it cleanly on Ctrl-C."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from botplatform.hosts.local.platform import Platform
from botplatform.settings import Settings


def serve(settings: Settings, folders: Sequence[Path], verbose: bool = False) -> None:
    """Run a platform until SIGINT or SIGTERM; raises BotplatformError when it cannot start."""
    _log_to_stderr(verbose)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    platform = Platform(settings, folders)
    try:
        platform.start()
        click.echo(banner(platform))
        while not stopping.wait(3600):
            pass
        click.echo("\nstopping …", err=True)
    finally:
        platform.stop()


def banner(platform: Platform) -> str:
    """What somebody wants to know when the platform is up."""
    settings = platform.settings
    plugins = platform.plugins
    simulated = "samples and the console; {} is not set".format
    slack = "your Slack app" if settings.slack_signing_secret else simulated("SLACK_SIGNING_SECRET")
    alexa = "your skill" if settings.alexa_skill_ids else simulated("ALEXA_SKILL_ID")
    texts = "Amazon SNS" if settings.sends_texts else "the outbox in the console; no AWS credentials are set"
    lines = [
        click.style("botplatform is up", bold=True),
        f"  console  {click.style(f'{platform.url}/console/', fg='cyan', underline=True)}",
        f"  slack    POST {platform.url}/slack ({slack})",
        f"  alexa    POST {platform.url}/alexa ({alexa})",
        f"  events   POST {platform.url}/events (CloudEvents, CloudTrail)",
        f"  mqtt     {platform.mqtt_url} ({'embedded broker' if platform.broker else 'your broker'})",
        f"  texts    {texts}",
        f"  state    {settings.state}",
        f"  plugins  {', '.join(plugins.loaded) or 'none'}",
        *(click.style(f"  mistake  {mistake}", fg="red") for mistake in plugins.mistakes),
        "Ctrl-C stops it.",
    ]
    return "\n".join(lines)


class _Brief(logging.Formatter):
    """Time, level where it matters, and the message; colour on a terminal only."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback of a bug."""
        text = super().format(record)
        colour = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}.get(record.levelname)
        return click.style(text, fg=colour) if colour and sys.stderr.isatty() else text


def _log_to_stderr(verbose: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Brief("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("botplatform").setLevel(logging.DEBUG if verbose else logging.INFO)
