"""docs/deploy.md: each command on it is one, and each command there is, is on it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from botplatform.cli import command

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "deploy.md").read_text()
COMMANDS = [
    line.split("#")[0].split("<")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("botplatform ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_on_the_page_is_taken(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    taken = command(name)
    while isinstance(taken, click.Group) and arguments and arguments[0] in taken.commands:
        taken = taken.commands[arguments.pop(0)]
    taken.make_context("botplatform", arguments)


@pytest.mark.parametrize("name", command("deploy").commands)  # type: ignore[attr-defined]
def test_a_subcommand_of_deploy_is_on_the_page(name: str) -> None:
    assert f"botplatform deploy {name}" in PAGE


@pytest.mark.parametrize("name", ["deploy", "send", "events", "logs"])
def test_what_such_a_command_can_do_on_aws_is_on_the_page(name: str) -> None:
    page = {option for line in COMMANDS for option in re.findall(r"--[a-z-]+", line)}
    local_only = {"--plugins", "--times", "--url", "--lines", "--help"}
    options = {opt for parameter in command(name).params for opt in parameter.opts if opt.startswith("--")}
    assert options - local_only <= page
