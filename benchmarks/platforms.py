"""A whole platform in this process, on a state folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botplatform.hosts.local.platform import Platform
from botplatform.settings import Settings


@contextmanager
def running(folder: Path, plugins: Path, **settings: str) -> Iterator[Platform]:
    """Run a platform with the plugins in a folder until the end of the block, on free ports of this machine."""
    values = {"BOTPLATFORM_STATE": str(folder), "BOTPLATFORM_PORT": "0", "MQTT_PORT": "0", **settings}
    platform = Platform(Settings.read(values), [plugins], entry_points=False)
    platform.start()
    try:
        yield platform
    finally:
        platform.stop()
