"""The task of every peer: it leaves one byte in a file, so that whoever put it can see that it was run."""

from __future__ import annotations

import os

DONE, BROKER = "BENCHMARK_DONE", "BENCHMARK_BROKER"
_file = os.open(os.environ[DONE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def count() -> None:
    """Be counted: appends of one byte by several processes do not get into each other's way."""
    os.write(_file, b".")


def broker() -> str:
    """Where this queue lives: a file, or the URL of a Redis."""
    return os.environ[BROKER]
