"""State in one SQLite file: markers, state, effects, inbox and log, changed together in one transaction."""

from botplatform.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
