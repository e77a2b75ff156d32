"""An AWS on this machine: a real server on a free port of 127.0.0.1 that runs real functions."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from botplatform import aws
from tests.mosquitto import HOST, eventually, free_port

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-aws" / "bin" / "python"
OSLS = ROOT / "node_modules" / ".bin" / "osls"


def need_tools() -> None:
    """Skip the test where the emulator or the deployment tool is not installed; CI has to have them."""
    missing = [str(tool.relative_to(ROOT)) for tool in (PYTHON, OSLS) if not tool.exists()]
    if missing:
        reason = f"there is no {' and no '.join(missing)}: `make test-aws` puts them there"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


class Emulator:
    """One running emulator with nothing in it; `folder` keeps its files."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        # As in a shell of somebody who has an account: all that finds AWS is in the environment.
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        self.log = folder / "emulator.log"
        own = {
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "LAMBDA_EXECUTOR": "local",
            "AUTH": "true",
            "S3_DATA_DIR": str(folder / "s3"),
            "STATE_DIR": str(folder / "state"),
            "TMPDIR": str(folder),
        }
        script = str(Path(__file__).with_name("patient_emulator.py"))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(PYTHON), script], env={**self.environment, **own}, cwd=folder, stdout=log, stderr=log
            )
        try:
            eventually(self._is_ready, 60)
        except BaseException:
            self.stop()
            raise
        self.client = cache(lambda service: aws.client(service, self.environment, attempts=3, read_timeout=60))

    def texts(self) -> list[dict[str, Any]]:
        """All texts sent through SNS, oldest first for each number."""
        with urllib.request.urlopen(f"{self.url}/_ministack/sns/sms-messages") as answer:
            by_number = json.load(answer)["sms_messages"]
        return [text for texts in by_number.values() for text in texts]

    def stop(self) -> None:
        """Stop it, and the functions that wait in it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/ready"):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False
