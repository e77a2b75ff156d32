"""`botplatform run`: starts the local host, says where everything is, and stops it cleanly on Ctrl-C."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit

import click

from botplatform.hosts.allocation import collect_seldom, share_freed_memory
from botplatform.hosts.local.platform import Platform
from botplatform.hosts.logs import log_to_file, log_to_stderr
from botplatform.settings import Settings

logger = logging.getLogger(__name__)

# In the state folder: what is logged, for `botplatform logs`.
LOG = "platform.log"


def serve(settings: Settings, folders: Sequence[Path], verbose: bool = False) -> None:
    """Run a platform until SIGINT or SIGTERM; raises BotplatformError when it cannot start.

    When it asks for that, another takes its place, on the same ports.
    """
    share_freed_memory()
    log_to_stderr(verbose)
    log_to_file(settings.state / LOG)
    asked: SimpleQueue[bool] = SimpleQueue()  # whether to start anew
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.put(False))
    anew = True
    while anew:
        platform = Platform(settings, folders, restart=lambda: asked.put(True))
        try:
            platform.start()
            collect_seldom()
            logger.info("serving %s", platform.url)
            click.echo(banner(platform))
            anew = asked.get()
            settings = _on_the_same_ports(settings, platform)
            click.echo("\nstarting anew …" if anew else "\nstopping …", err=True)
        finally:
            platform.stop()


def _on_the_same_ports(settings: Settings, platform: Platform) -> Settings:
    mqtt_port = urlsplit(platform.broker.url).port if platform.broker else None
    port = urlsplit(platform.url).port
    return replace(settings, port=port or settings.port, mqtt_port=mqtt_port or settings.mqtt_port)


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
