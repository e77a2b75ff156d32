"""Pieces of what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botplatform import codec


def row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """A line of a table."""
    return "  ".join(cut(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def cut(text: str, width: int) -> str:
    """A text on one line, padded or cut to a width."""
    flat = " ".join(text.split())
    return flat.ljust(width) if len(flat) <= width else flat[: width - 1] + "…"


def json_told(value: Any) -> str:
    """Any value as a line of JSON."""
    return codec.encode(value).decode()
