"""Disks that are full or cannot be written, for as long as a test wants."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A real disk of a few hundred KB, which can be filled up and made room on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                _write_all(file.fileno(), b"\0" * size)

    def make_room(self) -> None:
        """Take away what filled it."""
        self._ballast.unlink()


def _write_all(handle: int, block: bytes) -> None:
    try:
        while os.write(handle, block):
            pass
    except OSError:
        return


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A disk in memory, mounted at `folder`; skips the test where that is not allowed."""
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip(f"no disk can be mounted here: {mount.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
