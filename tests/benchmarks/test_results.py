"""What was measured last: figures that pages and pictures can be held against."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, question
from benchmarks.measure import Contender, Race
from benchmarks.plot import PICTURE, SOURCE, digest
from benchmarks.results import medians, rows

ROOT = Path(__file__).resolve().parents[2]


def test_the_picture_is_of_the_figures_that_are_checked_in():
    assert digest(SOURCE).encode() in PICTURE.read_bytes(), "run: python -m benchmarks.plot"


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_says_what_it_asks_and_is_on_the_page(name):
    assert question(name).endswith((".", "?")), f"benchmarks/{name}.py begins with no sentence"
    assert f"| `{name}` |" in (ROOT / "benchmarks" / "README.md").read_text()


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks" / "results").glob("*.json")), ids=lambda file: file.stem)
def test_checked_in_figures_are_of_a_benchmark_and_of_enough_rounds(file):
    assert file.stem in NAMES
    assert json.loads(file.read_text())["rounds"] > 1


def test_rows_are_told_by_the_medians_of_their_rounds():
    costs = iter((9.0, 1.0, 5.0, 2.0))
    table = Race("a race of ours", [Contender("ours", lambda: {"us": next(costs), "patterns": 10.0})]).run(3).to_dict()
    assert medians(table["rows"][0]) == {"us": 2.0, "patterns": 10.0}
    assert list(rows([table], "race")) == [("ours", {"us": 2.0, "patterns": 10.0})]
    assert not list(rows([table], "another"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["no_such"], "there is no no_such"), (["route", "--rounds", "0"], "there is at least one round")],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(arguments, said):
    done = subprocess.run([sys.executable, "-m", "benchmarks", *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.endswith(f"error: {said}\n")
