"""Whole processes as Lambda starts them: a folder of byte-compiled code, a Python with nothing else, one event."""

from __future__ import annotations

import compileall
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import botplatform
from benchmarks.measure import Figures, Wrong

HERE = Path(__file__).parent
_PATIENCE = 60.0


class Start(NamedTuple):
    """A process to start: the module with the handler (none: bare Python), its event, and what its answer holds."""

    module: str = ""
    event: Any = None
    answer: str = ""
    environment: Mapping[str, str] = MappingProxyType({})
    packages: bool = False


class Bundle:
    """A folder with the platform, the plugins and the peers' handlers, compiled, and a Python to run them with.

    That Python is that of an empty virtual environment: what the `.pth` files of an installation import at every start
    is no part of what is measured. Installed packages are on the path of those who need them.
    """

    def __init__(self, folder: Path) -> None:
        self._code = folder / "code"
        shutil.copytree(Path(botplatform.__file__).parent, self._code / "botplatform")
        shutil.copytree(HERE / "plugins", self._code / "botplatform_plugins")
        shutil.copytree(HERE / "handlers", self._code, dirs_exist_ok=True)
        shutil.copy(HERE / "invoke.py", self._code)
        compileall.compile_dir(self._code, quiet=1)
        venv.create(folder / "python", with_pip=False)
        self._python = folder / "python" / "bin" / "python"
        self._packages = [path for path in sys.path if path.endswith("site-packages")]

    def run(self, start: Start) -> Figures:
        """What a process takes from its start to its end; raises Wrong when its answer is not the one wanted."""
        command = ["import invoke", start.module] if start.module else ["pass"]
        path = os.pathsep.join([str(self._code), *(self._packages if start.packages else ())])
        worked, began = _worked(), time.perf_counter()
        done = subprocess.run(
            [self._python, "-P", "-c", *command],
            env={**start.environment, "PYTHONPATH": path},
            input=json.dumps(start.event).encode(),
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
        took, worked = time.perf_counter() - began, _worked() - worked
        answer = done.stdout.decode().splitlines()[-1:]
        if done.returncode or start.answer not in "".join(answer):
            raise Wrong(f"{start.module}: wanted {start.answer!r}, got {answer} and {done.stderr.decode()}")
        return {"ms": took * 1000, "CPU ms": worked * 1000}


def _worked() -> float:
    """The seconds of CPU that all processes took that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
