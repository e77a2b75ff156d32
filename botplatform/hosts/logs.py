"""Where a host's log goes: to a terminal or the journal of a service, and to a file."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

import click


class _Brief(logging.Formatter):
    """Time, level where it matters, and the message; colour on a terminal only."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback of a bug."""
        text = super().format(record)
        colour = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}.get(record.levelname)
        return click.style(text, fg=colour) if colour and sys.stderr.isatty() else text


def log_to_stderr(verbose: bool) -> None:
    """Log warnings, and of the platform itself what is news, or with `verbose` everything."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Brief("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("botplatform").setLevel(logging.DEBUG if verbose else logging.INFO)


def log_to_file(path: Path) -> None:
    """Log to a file too, and to a new one when that is full; three of 5 MB at most."""
    handler = _File(path, maxBytes=5_000_000, backupCount=2, delay=True, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)


class _File(RotatingFileHandler):
    """A full disk stops nobody: all that goes there is on standard error too."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Go on."""
