"""The tool that packages and deploys `serverless.yml`: osls, the Serverless Framework's open fork."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botplatform.errors import BotplatformError

_MISSING = "osls is missing: `npm install --no-save osls@4.3.1` puts it here (it needs Node.js 20 or newer)"


class Osls:
    """Runs osls on the `serverless.yml` in a folder, for one stage in one region.

    `environment` is what it finds its credentials in, `parameters` are the values of `${param:…}` in the file. Raises
    BotplatformError when osls is not there.
    """

    def __init__(
        self, folder: Path, stage: str, region: str, environment: Mapping[str, str], parameters: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._command = _found(folder, environment)
        self._options = ["--stage", stage, "--region", region]
        self._options += [f"--param={name}={value}" for name, value in parameters.items()]
        self._environment = environment

    def package(self, to: Path) -> dict[str, Any]:
        """Make the CloudFormation template of a deployment, and return it; raises BotplatformError when it cannot."""
        command = [self._command, "package", "--package", str(to), *self._options]
        done = subprocess.run(command, cwd=self._folder, env=dict(self._environment), capture_output=True, text=True)
        if done.returncode:
            raise BotplatformError(f"osls cannot package serverless.yml:\n{(done.stdout + done.stderr).strip()}")
        template = json.loads((to / "cloudformation-template-update-stack.json").read_text())
        return dict(template)

    def deploy(self, package: Path) -> int:
        """Deploy what was packaged, its output going where ours goes; returns its exit status."""
        return self._stream("deploy", "--package", str(package))

    def remove(self) -> int:
        """Remove the stage; returns the exit status."""
        return self._stream("remove")

    def _stream(self, *arguments: str) -> int:
        command = [self._command, *arguments, *self._options]
        with _interrupts_ignored():
            return subprocess.run(command, cwd=self._folder, env=dict(self._environment), check=False).returncode


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave Ctrl-C to the child, which the terminal tells too: it has to say how far it came.

    A KeyboardInterrupt at the moment when the child ends would have its exit status lost, and taken for 0.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)  # which a child does not inherit, as it would SIG_IGN
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _found(folder: Path, environment: Mapping[str, str]) -> str:
    nearby, path = folder / "node_modules" / ".bin", environment.get("PATH", "")
    found = shutil.which("osls", path=f"{nearby}:{path}") or shutil.which("serverless", path=path)
    if not found:
        raise BotplatformError(_MISSING)
    return found
