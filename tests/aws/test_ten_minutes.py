"""docs/aws.md followed to the letter: every command of the page, in its order, against the emulated AWS.

Two things are said that somebody at a keyboard would not say: functions of the emulator run on this machine's own
processor, so `deploy` is told which, and npm may take what it downloaded before. A log that is not there yet is asked
for again, as anybody would.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.aws.emulator import ROOT, Emulator, need_tools
from tests.hosts.local.fake_slack import FakeSlack

PAGE = ROOT / "docs" / "aws.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.S)
PATIENCE = 60  # seconds


class Step(NamedTuple):
    """A command, and the lines the page shows of what it answers; `…` in them stands for anything."""

    command: str
    shown: list[str]

    def missing(self, said: str) -> str | None:
        """The first line that is shown and was not said."""
        return next(
            (line for line in self.shown if not re.search(".*".join(map(re.escape, line.split("…"))), said)), None
        )


def steps() -> Iterator[Step]:
    """Everything the page tells to type."""
    for block in BLOCK.findall(PAGE.read_text()):
        for command in block.split("$ ")[1:]:
            first, *shown = command.splitlines()
            yield Step(first, [line for line in shown if line])


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """An account in which nothing is."""
    need_tools()
    folder = tmp_path / "emulator"
    folder.mkdir()
    emulator = Emulator(folder)
    yield emulator
    emulator.stop()


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    """Slack, as far as messages go to it."""
    slack = FakeSlack()
    yield slack
    slack.close()


class Terminal:
    """A terminal in a project folder with the plugins and events that ship."""

    def __init__(self, folder: Path, emulator: Emulator, slack: FakeSlack) -> None:
        for shipped in ("plugins", "events"):
            shutil.copytree(ROOT / shipped, folder / shipped)
        path = f"{Path(sys.executable).parent}{os.pathsep}{emulator.environment['PATH']}"
        own = {"PATH": path, "npm_config_prefer_offline": "true", "SLS_TELEMETRY_DISABLED": "1"}
        self._environment = {**emulator.environment, **own, "SLACK_API_URL": slack.settings["SLACK_API_URL"]}
        self._folder = folder
        self._secrets = slack.settings

    def run(self, command: str) -> str:
        """Type a command, and the secret it may ask for; what it says."""
        done = subprocess.run(
            command.replace("deploy --stage", f"deploy --arch {platform.machine()} --stage"),
            shell=True,
            cwd=self._folder,
            env=self._environment,
            input=next((secret for name, secret in self._secrets.items() if name in command), ""),
            capture_output=True,
            text=True,
            timeout=300,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, (command, said)
        return said


@pytest.mark.timeout(600)
def test_the_page_works_as_it_is_written(tmp_path, emulator, slack):
    terminal = Terminal(tmp_path, emulator, slack)
    for step in steps():
        deadline = time.monotonic() + PATIENCE
        while missing := step.missing(said := terminal.run(step.command)):
            assert step.command.split()[1] in ("events", "logs"), (step.command, missing, said)
            assert time.monotonic() < deadline, (step.command, missing, said)
            time.sleep(1)
    assert [text["Message"] for text in emulator.texts()] == [
        "It is 34.2 °C in the attic!",
        "Root of AWS account 111122223333 signed in from 203.0.113.7.",
    ]


def test_the_page_shows_a_deployment_from_the_first_command_to_the_last():
    commands = [step.command for step in steps()]
    for said in ("npm install", "deploy secret", "deploy --stage", "send --stage", "events --stage", "logs --stage"):
        assert any(said in command for command in commands), said
    assert commands[-1].startswith("botplatform deploy remove")
