"""The commands that read anybody's files say what is wrong with one in a sentence, whatever is in it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from botplatform.cli import main
from tests.fuzz.app import ROOT, App
from tests.fuzz.mutate import mutated
from tests.fuzz.samples import all_records

COMMANDS = {
    "normalize": ["normalize"],
    "explain": ["explain", "--plugins", str(ROOT / "plugins")],
    "send": ["send"],
}


def run(app: App, *words: str) -> Result:
    return CliRunner().invoke(main, words, env={"BOTPLATFORM_STATE": str(app.platform.settings.state)})


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_reads_any_file_or_says_why_not(name: str, app: App, tmp_path: Path) -> None:
    random = Random(name)
    for _ in range(40):
        file = tmp_path / "file"
        file.write_bytes(mutated(random, all_records()))

        done = run(app, *COMMANDS[name], str(file))

        assert done.exception is None or isinstance(done.exception, SystemExit), (file.read_bytes(), done.exception)
        assert done.exit_code in (0, 1)
        assert done.output.strip() or file.read_bytes().strip() in (b"", b"[]")
