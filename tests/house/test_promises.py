"""The page that says what happens if something fails names a test for each promise, and every test of a fault."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.faults.points import POINTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "what-happens-if.md"
ROW = re.compile(r"^\| (?P<when>.+?) \| (?P<happens>.+?) \| (?P<tests>.+?) \|$", re.M)
NAMED = re.compile(r"`(tests/[\w/]+\.py::test_\w+)`")


def rows() -> list[tuple[str, list[str]]]:
    """What can happen, and the tests that show what comes of it; not the heads of the tables."""
    found = [(row["when"], row["tests"]) for row in ROW.finditer(PAGE.read_text())]
    return [(when, NAMED.findall(tests)) for when, tests in found if tests not in ("test", "---")]


def found_in(path: Path) -> set[str]:
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    return {f"{path.relative_to(ROOT)}::{node.name}" for node in functions if node.name.startswith("test_")}


@pytest.mark.parametrize(("when", "named"), rows(), ids=[when for when, _ in rows()])
def test_each_promise_has_a_test(when: str, named: list[str]) -> None:
    assert named, when
    for name in named:
        assert name in found_in(ROOT / name.partition("::")[0]), f"{when}: there is no {name}"


def test_each_test_of_a_fault_is_on_the_page() -> None:
    named = {name for _, tests in rows() for name in tests}
    injected = {name for path in (ROOT / "tests" / "faults").glob("test_*.py") for name in found_in(path)}
    assert not injected - named


def test_each_point_at_which_the_process_is_killed_is_on_the_page() -> None:
    assert set(POINTS) <= {when for when, _ in rows()}
