"""Where the platform on a state folder is, as it says to the tools of this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE = "running.json"


def announce(state: Path, where: Mapping[str, Any]) -> None:
    """Say where the platform is. Its console's token is part of that, so only the folder's owner may read it."""
    new = state / f"{_FILE}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(where, file)
    new.replace(state / _FILE)  # whoever reads it finds all of it, or the one before


def announced(state: Path) -> dict[str, Any]:
    """What the platform last said: `pid`, `url`, `mqtt`, `token`; empty when none runs there."""
    try:
        return dict(json.loads((state / _FILE).read_text()))
    except (OSError, ValueError):
        return {}


def withdraw(state: Path) -> None:
    """Say that no platform is there any more."""
    (state / _FILE).unlink(missing_ok=True)
