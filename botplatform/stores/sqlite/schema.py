"""The tables, and how a file written by an older version becomes one of this version."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Final

from botplatform.errors import StateUnavailable
from botplatform.stores.sqlite.copying import beside, copy

logger = logging.getLogger(__name__)

# Copies of files as older versions wrote them.
COPIES: Final = 3

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
    """
    -- What commits changed, for the log and to see the state as it was. A number is the version its value got, so one
    -- that is larger is later. The first row says since when there are all: pruning keeps one that is older than what
    -- it leaves. Where a value is too large to be kept twice, `size` has the bytes it has since.
    CREATE TABLE changes (
        number INTEGER PRIMARY KEY,
        plugin TEXT NOT NULL,
        key TEXT NOT NULL,
        before BLOB,
        after BLOB,
        size INTEGER,
        changed REAL NOT NULL
    );
    CREATE INDEX changes_key ON changes (plugin, key);
    INSERT INTO changes VALUES (1, '@history', 'begins', NULL, NULL, NULL, 0);

    -- What expires is looked for each hour.
    CREATE INDEX state_expires ON state (expires) WHERE expires IS NOT NULL;

    -- A commit's changes are those with numbers behind `version_before` and up to `version_after`.
    ALTER TABLE outcomes ADD COLUMN version_before INTEGER;
    ALTER TABLE outcomes ADD COLUMN version_after INTEGER;

    -- The size of the inbox is asked for each second; without an index, that reads all the envelopes.
    CREATE INDEX inbox_dead ON inbox (dead);
    """,
    """
    -- It had all of each marker once more, for what is done once an hour: pruning reads the table instead.
    DROP INDEX outcomes_finished;
    """,
    """
    -- The row of an event says what its number is, and stays as long as any of its markers: if it has to leave the log
    -- before, `received` becomes -1, and subject, reason and envelope go.
    CREATE VIEW log AS SELECT * FROM events WHERE received >= 0;

    -- Of markers that outlived their log entries, with numbers before those of all others.
    INSERT INTO events (seq, source, id, type, received, verdict, reason)
        SELECT coalesce((SELECT min(seq) FROM events), (SELECT count(*) FROM outcomes) + 1)
            - row_number() OVER (ORDER BY min(finished) DESC), source, id, '', -1, 'accepted', ''
        FROM outcomes AS o
        WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE (e.source, e.id) = (o.source, o.id)) GROUP BY source, id;

    -- A marker has the number of its event: so new ones come behind the others, wherever the event's id would be.
    ALTER TABLE outcomes RENAME TO outcomes_by_id;
    CREATE TABLE outcomes (
        number INTEGER NOT NULL,
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        handler TEXT NOT NULL,
        finished REAL NOT NULL,
        took REAL NOT NULL,
        attempts INTEGER NOT NULL,
        reply BLOB,
        suppressed BLOB,
        version_before INTEGER,
        version_after INTEGER,
        PRIMARY KEY (number, handler)
    ) WITHOUT ROWID;
    -- The order of the join is SQLite's as written: it would rather look each marker up than sort them.
    INSERT INTO outcomes
        SELECT seq, o.* FROM outcomes_by_id AS o CROSS JOIN events AS e ON (e.source, e.id) = (o.source, o.id)
        ORDER BY seq, handler;
    DROP TABLE outcomes_by_id;
    """,
)


# The row of `changes` that says that all with greater numbers are there.
BEGINNING: Final = "INSERT INTO changes (number, plugin, key, changed) VALUES (?, '@history', 'begins', 0)"


def migrate(connection: sqlite3.Connection, path: Path, now: float) -> None:
    """Bring the file up to this version, and keep a copy of what an older one wrote; `now` is the Unix time in seconds.

    Raises StateUnavailable when a newer version wrote it, and when there is no room for the copy.
    """
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > len(MIGRATIONS):
        raise StateUnavailable(
            f"{path} was written by a newer botplatform (schema {found}, this one knows {len(MIGRATIONS)}): upgrade"
        )
    if 0 < found < len(MIGRATIONS):
        _keep_copy(path, found, now)
    for version, script in enumerate(MIGRATIONS[found:], found + 1):
        connection.executescript(f"BEGIN; {script} PRAGMA user_version = {version}; COMMIT;")


def _keep_copy(path: Path, version: int, now: float) -> None:
    kept = beside(path, f"v{version}", now, ".backup")
    kept.unlink(missing_ok=True)  # of an attempt this very second
    copy(path, kept)
    logger.warning("%s is brought up to schema %d; as it was it is kept in %s", path, len(MIGRATIONS), kept.name)
    copies = sorted(path.parent.glob(f"{path.name}.v*.backup"), key=lambda copy: copy.stat().st_mtime)
    for old in copies[:-COPIES]:
        old.unlink()
