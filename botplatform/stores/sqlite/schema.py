"""The tables, and how a file written by an older version becomes one of this version."""

from __future__ import annotations

import sqlite3
from typing import Final

from botplatform.errors import StateUnavailable

# One script a version; a file of version N is brought up to date by running those after N. Never edit a released one.
MIGRATIONS: Final = (
    """
    -- The log: everything that reached the platform. Secrets are masked; a rejected input has no id.
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        id TEXT,
        type TEXT NOT NULL,
        subject TEXT,
        received REAL NOT NULL,
        verdict TEXT NOT NULL,        -- accepted, unmatched, rejected
        reason TEXT NOT NULL,
        envelope BLOB,
        deliveries INTEGER NOT NULL DEFAULT 1,
        UNIQUE (source, id)
    );
    CREATE INDEX events_received ON events (received);

    -- The done-markers: an event that has one for a handler is not handled by it again.
    CREATE TABLE outcomes (
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        handler TEXT NOT NULL,
        finished REAL NOT NULL,
        took REAL NOT NULL,
        attempts INTEGER NOT NULL,
        reply BLOB,
        suppressed BLOB,
        PRIMARY KEY (source, id, handler)
    ) WITHOUT ROWID;
    CREATE INDEX outcomes_finished ON outcomes (finished);

    CREATE TABLE state (
        plugin TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        version INTEGER NOT NULL,
        expires REAL,
        PRIMARY KEY (plugin, key)
    ) WITHOUT ROWID;

    CREATE TABLE effects (
        number INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        handler TEXT NOT NULL,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        arguments BLOB NOT NULL,
        ordering TEXT NOT NULL,
        status TEXT NOT NULL,         -- pending, performed, given up
        attempts INTEGER NOT NULL DEFAULT 0,
        changed REAL NOT NULL,
        result BLOB,
        UNIQUE (source, id, handler, position)
    );
    CREATE INDEX effects_pending ON effects (number) WHERE status = 'pending';
    CREATE INDEX effects_name ON effects (name, number);

    -- The inbox: work acknowledged to its sender and not done; `dead` rows are the dead letters.
    CREATE TABLE inbox (
        seq INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        handler TEXT NOT NULL,
        envelope BLOB NOT NULL,
        attempts INTEGER NOT NULL,
        due REAL NOT NULL,
        dead INTEGER NOT NULL,
        reason TEXT NOT NULL,
        changed REAL NOT NULL,
        UNIQUE (source, id, handler)
    );
    """,
)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the file up to this version; raises StateUnavailable when a newer version wrote it."""
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > len(MIGRATIONS):
        raise StateUnavailable(
            f"{path} was written by a newer botplatform (schema {found}, this one knows {len(MIGRATIONS)}): upgrade"
        )
    for version, script in enumerate(MIGRATIONS[found:], found + 1):
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {version}; COMMIT;")
