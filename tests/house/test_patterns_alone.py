"""The pattern language stands on its own: its folder, copied anywhere under any name, is all it takes."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "botplatform" / "patterns"
PAGE = ROOT / "docs" / "patterns.md"
SCRIPT = """
import sys
from eventmatch import Index, PatternError, Topic, compile
from eventmatch.pruned import decoder

index = Index()
index.add("it", compile({"a": {"b": [{"prefix": "x"}]}}))
index.add_topic("room", Topic.parse("rooms/{room}"))
assert index.match({"a": {"b": "xy"}}, "rooms/attic") == (("it", {}), ("room", {"room": "attic"}))
assert decoder(index.paths)(b'{"a": {"b": "xy", "c": 1}}') == {"a": {"b": "xy"}}
assert "botplatform" not in sys.modules
"""


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_it_imports_itself_python_and_msgspec_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            allowed = {*sys.stdlib_module_names, *(["msgspec"] if path.stem in ("pruned", "fingerprint") else [])}
            assert (node.module or "").partition(".")[0] in allowed, f"{path}:{node.lineno}"
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1, f"{path}:{node.lineno}"


def test_a_copy_of_its_folder_works_alone(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "eventmatch", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_examples_of_its_page_work() -> None:
    text = PAGE.read_text()
    examples = [block.partition("```")[0] for block in text.split("```python\n")[1:]]
    assert examples
    known: dict[str, object] = {}
    for example in examples:
        exec(example, known)  # one goes on where the one before it ended
