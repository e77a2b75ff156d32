"""Plugins written into a folder, for tests that need some of their own."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from botplatform.plugins import Plugins


def write(folder: Path, **plugins: str) -> Path:
    """Write each plugin's source as `<name>.py`; returns the folder, made if need be."""
    folder.mkdir(exist_ok=True)
    for name, source in plugins.items():
        (folder / f"{name}.py").write_text(dedent(source).lstrip("\n"))
    return folder


def load(folder: Path, **plugins: str) -> Plugins:
    """Write plugins and load all there are in the folder."""
    return Plugins([write(folder, **plugins)])
