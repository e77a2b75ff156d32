"""The end of a file that is written to, and replaced, while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botplatform.tail import LocalLines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("one\ntwo\nthree\n")
    return path


@pytest.fixture
def tail(path: Path) -> Iterator[LocalLines]:
    tail = LocalLines(path)
    yield tail
    tail.close()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_latest_lines_come_oldest_first_and_then_only_new_ones(path: Path, tail: LocalLines) -> None:
    assert tail.latest(2) == ["two", "three"]
    assert tail.newer() == []
    append(path, "four\n")
    assert tail.newer() == ["four"]


def test_none_of_the_latest_still_leaves_the_new_ones(path: Path, tail: LocalLines) -> None:
    assert tail.latest(0) == []
    append(path, "four\n")
    assert tail.newer() == ["four"]


def test_half_a_line_waits_for_its_other_half(path: Path, tail: LocalLines) -> None:
    tail.latest(0)
    append(path, "fo")
    assert tail.newer() == []
    append(path, "ur\nfi")
    assert tail.newer() == ["four"]


def test_a_full_file_is_read_to_its_end_before_the_next(path: Path, tail: LocalLines) -> None:
    tail.latest(0)
    append(path, "four\n")
    path.rename(path.with_suffix(".1"))
    assert tail.newer() == ["four"]
    path.write_text("five\n")
    assert tail.newer() == ["five"]
