"""docs/operations.md: each command on it works as it is written, one after the other."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from botplatform.cli import command
from botplatform.cli.searching import VERDICTS
from tests.cli.conftest import Run
from tests.cli.test_dead_letters import PICKY, REPAIRED, dead
from tests.handlers import happened
from tests.hosts.local.running import running, state
from tests.mosquitto import eventually

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
LINES = [line.partition("#")[0].strip() for block in BLOCKS for line in block.splitlines()]


def test_the_commands_work_as_they_are_written(tmp_path: Path, cli: Run) -> None:
    (tmp_path / "data.json").write_text(REPAIRED)
    with running(tmp_path, {"picky": PICKY}) as platform:
        dead(platform, *[happened(id, data="odd") for id in ("order-1001-created", "2", "3")])
        for line in LINES:
            arguments = shlex.split(line)[1:]
            if "--follow" not in arguments:
                result = cli(*arguments, BOTPLATFORM_STATE=str(platform.settings.state))
                assert result.exit_code == 0, (line, result.output)
                eventually(lambda: not platform.busy())
        assert (state(platform, "picky"), platform.store.inbox.size()) == ({"taken": 1}, (0, 0))


@pytest.mark.parametrize("name", command("dead-letters").commands)  # type: ignore[attr-defined]
def test_each_command_on_dead_letters_is_on_the_page(name: str) -> None:
    assert any(line.startswith(f"botplatform dead-letters {name}") for line in LINES)


@pytest.mark.parametrize("word", VERDICTS)
def test_each_verdict_is_explained(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_each_filter_is_explained() -> None:
    filters = {option for parameter in command("events").params for option in parameter.opts}
    own = {"-n", "--lines", "-f", "--follow", "--stage", "--region", "--json"}
    assert {name for name in filters - own if f"`{name}`" not in PAGE} == set()
