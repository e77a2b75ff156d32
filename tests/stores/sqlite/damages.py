"""Ways in which a file is damaged on a disk."""

from __future__ import annotations

import os
import random
from pathlib import Path

PAGE = 4096


def overwrite(path: Path, where: float, content: bytes) -> None:
    """Replace what is at a place, 0 to 1 of the file, from the beginning of its page on."""
    page = int(where * (path.stat().st_size // PAGE))
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(content)


def garble(path: Path) -> None:
    """A few pages in the middle are not what they were."""
    overwrite(path, 0.5, random.Random(4).randbytes(3 * PAGE))


def cut_off(path: Path) -> None:
    """The last third is missing, and half a page."""
    os.truncate(path, path.stat().st_size * 2 // 3 - PAGE // 2)


def behead(path: Path) -> None:
    """The header is all zeros."""
    overwrite(path, 0, bytes(100))


def empty_first_page(path: Path) -> None:
    """The first page, with the names of all tables, is all zeros."""
    overwrite(path, 0, bytes(PAGE))


def replace(path: Path) -> None:
    """All of it is something else."""
    path.write_bytes(random.Random(4).randbytes(path.stat().st_size))


def spoil(path: Path) -> None:
    """All but the first page is something else: whoever has it open finds out."""
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(b"\xaa" * (path.stat().st_size - PAGE))
