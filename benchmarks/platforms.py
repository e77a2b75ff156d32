"""A whole platform in this process, on a state folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botplatform.hosts.allocation import collect_seldom
from botplatform.hosts.local.platform import Platform
from botplatform.settings import Settings


@contextmanager
def running(folder: Path, plugins: Path, **settings: str) -> Iterator[Platform]:
    """Run a platform as `botplatform run` does until the end of the block, with the plugins in a folder, on free ports.

    So this process looks for cycles seldom from then on, which its peers in here profit from as much.
    """
    values = {"BOTPLATFORM_STATE": str(folder), "BOTPLATFORM_PORT": "0", "MQTT_PORT": "0", **settings}
    platform = Platform(Settings.read(values), [plugins], entry_points=False)
    platform.start()
    collect_seldom()
    try:
        yield platform
    finally:
        platform.stop()
