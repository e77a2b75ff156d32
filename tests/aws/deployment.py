"""Plugins taken to the emulated AWS the way anybody takes them there: by `botplatform deploy`."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from botplatform.deploy.stage import Stage
from tests.aws.emulator import OSLS, Emulator

_BOTPLATFORM = [sys.executable, "-m", "botplatform"]
# The emulator runs functions on the processor of this machine.
_DEPLOY = ["deploy", "--arch", platform.machine(), "--stage"]


class Deployment:
    """A project folder with plugins, and the stage `name` it is deployed to."""

    def __init__(
        self, folder: Path, emulator: Emulator, name: str, plugins: Sequence[Path], settings: Mapping[str, str]
    ) -> None:
        """`plugins` are folders whose plugins are copied; `settings` is what a `.env` would say."""
        self.name = name
        self.folder = folder
        self.stage = Stage(name, "botplatform", emulator.environment)
        path = f"{OSLS.parent}:{emulator.environment['PATH']}"
        self.environment = {**emulator.environment, **settings, "PATH": path, "SLS_TELEMETRY_DISABLED": "1"}
        (folder / "plugins").mkdir()
        for plugin in (plugin for home in plugins for plugin in home.glob("*.py")):
            shutil.copy(plugin, folder / "plugins")

    def deploy(self, secrets: Mapping[str, str]) -> None:
        """Keep the secrets and deploy."""
        for secret, value in secrets.items():
            self.run("deploy", "secret", secret, "--stage", self.name, stdin=value)
        self.run(*_DEPLOY, self.name, "--yes")

    def deploy_dry(self) -> list[str]:
        """The changes that deploying would make, each as JSON."""
        return self.run(*_DEPLOY, self.name, "--dry-run", "--json").splitlines()

    def on_stage(self, *arguments: str) -> str:
        """Run a command against the stage; returns what it says."""
        return self.run(*arguments, "--stage", self.name)

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run `botplatform` with some arguments in the project's folder; returns what it says."""
        done = subprocess.run(
            [*_BOTPLATFORM, *arguments],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
