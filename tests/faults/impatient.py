"""A platform that soon notices that its broker is gone, and knocks again at once: for many faults in a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from botplatform.hosts.local.platform import Platform
from botplatform.hosts.mqtt.client import Connection
from botplatform.hosts.mqtt.devices import Devices
from tests.hosts.local.running import configured, written

KEEPALIVE = 2


class Impatient(Platform):
    """The platform as it is, but for two numbers of its connection to the broker."""

    def _devices(self) -> Devices:
        connection = replace(Connection.of(self.settings, "faults"), keepalive=KEEPALIVE)
        return Devices(connection, self.dispatcher, connection.address, wait=lambda _failures, _luck: 0.05)


@contextmanager
def impatient(folder: Path, plugins: Mapping[str, str], **settings: str) -> Iterator[Impatient]:
    """Such a platform with these plugins (name to source), on free ports, its state in a folder that may have some."""
    platform = Impatient(configured(folder, **settings), [written(folder, plugins)], entry_points=False)
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()
