"""The platform as a process of its own, for what only a process can show: signals, a full disk, sudden death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.mosquitto import eventually

PYTHON = [sys.executable, "-m", "botplatform"]


class Process:
    """`botplatform run` in a folder, whose `plugins` it loads and whose `state` it keeps; `log` holds what it says."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.log = folder / "log"
        self._state = folder / "state"
        ports = {"BOTPLATFORM_PORT": "0", "MQTT_PORT": "0"}
        environment = {**os.environ, **ports, "BOTPLATFORM_STATE": str(self._state), **settings}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*PYTHON, "run"], cwd=folder, env=environment, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def started(self) -> str:
        """Wait until it is up; returns its URL."""
        eventually(self._is_up)
        return str(self._running()["url"])

    def end(self, how: signal.Signals) -> int:
        """Send it a signal and wait for its end; returns its exit status, which is -9 after SIGKILL."""
        self._process.send_signal(how)
        return self._process.wait(timeout=20)

    def kill(self) -> None:
        """End it without a chance to finish anything; nothing to do when it has ended."""
        if self._process.poll() is None:
            self.end(signal.SIGKILL)

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        return bool(self._running().get("pid") == self.pid)

    def _running(self) -> Any:
        try:
            return json.loads((self._state / "running.json").read_text())
        except (OSError, ValueError):
            return {}  # not written yet, or half
