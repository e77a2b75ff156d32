"""The samples are whole, and the demo plays them through a real platform."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.local.process import PYTHON

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(str(path.relative_to(ROOT / "events")) for path in (ROOT / "events").rglob("*") if path.is_file())
SAMPLES: list[dict[str, Any]] = json.loads((ROOT / "fixtures" / "samples.json").read_text())
PLUGINS = sorted(path.stem for path in (ROOT / "plugins").glob("*.py"))


@pytest.fixture(scope="module")
def played() -> subprocess.CompletedProcess[str]:
    """The demo, as somebody runs it who has just come here."""
    wide = {**os.environ, "COLUMNS": "250"}
    return subprocess.run([*PYTHON, "demo"], cwd=ROOT, env=wide, capture_output=True, text=True, timeout=100)


def test_the_demo_passes(played: subprocess.CompletedProcess[str]) -> None:
    summary = f"{len(SAMPLES)} samples, each did what it should"
    assert (played.returncode, played.stdout.splitlines()[-1]) == (0, summary), played.stdout + played.stderr


def test_the_demo_shows_a_line_for_each_sample(played: subprocess.CompletedProcess[str]) -> None:
    head, *lines, _ = played.stdout.splitlines()
    assert head.split() == ["sample", "handled", "by", "reply", "effects", "time"]
    for line, sample in zip(lines, SAMPLES, strict=True):
        assert sample["file"].startswith(line.split()[0].rstrip("…"))
    assert all(re.search(r" \d+ ms$", line) for line in lines)
    [temperature] = [line for line in lines if line.startswith("slack/temp-kitchen ")]
    assert re.search(r" room_temperature\.answer +It is 21\.5 °C in the kitchen\. ", temperature)


def test_the_demo_is_plain_text_where_there_is_no_terminal(played: subprocess.CompletedProcess[str]) -> None:
    assert "\x1b" not in played.stdout + played.stderr


def test_every_file_in_events_is_a_sample_and_the_reverse() -> None:
    assert sorted(sample["file"] for sample in SAMPLES) == FILES


@pytest.mark.parametrize("file", FILES)
def test_files_in_events_have_lower_case_names_with_dashes(file: str) -> None:
    assert re.fullmatch(r"[a-z]+/[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)+", file)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_has_a_sample_it_acts_on_and_one_it_lets_be(plugin: str) -> None:
    assert any(plugin in sample["positive"] for sample in SAMPLES)
    assert any(plugin in sample["negative"] for sample in SAMPLES)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_has_a_test(plugin: str) -> None:
    assert (ROOT / "tests" / "plugins" / f"test_{plugin}.py").is_file()


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["file"] for sample in SAMPLES])
def test_a_sample_speaks_of_plugins_that_exist(sample: dict[str, Any]) -> None:
    handlers = {handler.partition(".")[0] for event in sample["events"] for handler in event["handlers"]}
    assert {*sample["positive"], *sample["negative"], *handlers} <= {*PLUGINS}
    assert set(sample["positive"]) <= handlers
    assert not {*sample["positive"]} & {*sample["negative"]}
