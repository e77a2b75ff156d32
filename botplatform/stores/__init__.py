"""Where state can live."""

from __future__ import annotations

from pathlib import Path

from botplatform.hookspecs import hookimpl
from botplatform.store import OpenStore, Store


@hookimpl
def stores() -> dict[str, OpenStore]:
    """The built-in stores, by URL scheme."""
    return {"sqlite": _open_sqlite}


def _open_sqlite(url: str) -> Store:
    from botplatform.stores.sqlite import SqliteStore

    return SqliteStore(Path(url.removeprefix("sqlite:")))
