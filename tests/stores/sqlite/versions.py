"""Files as older versions wrote them, made by the scripts of their time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from botplatform.store import Work
from botplatform.stores.sqlite.schema import MIGRATIONS
from tests.stores.sqlite.work import HANDLER

# What version 1 wrote for an event that was handled, and for one that was given up.
_ROWS_OF_1 = """
    INSERT INTO events VALUES (1, '/tests', '1', 'com.example.happened', NULL, 1799999000.0, 'accepted', '', NULL, 2);
    INSERT INTO outcomes VALUES ('/tests', '1', 'demo.handle', 1799999001.0, 0.25, 1, '{"text":"hi"}', NULL);
    INSERT INTO state VALUES ('demo', 'k', CAST('7' AS BLOB), 1799999001000000000, NULL);
    INSERT INTO effects VALUES
        (1, '/tests', '1', 'demo.handle', 0, 'text', '{"to":"owner"}', 'owner', 'pending', 1, 1799999001.0, NULL);
"""
# What version 2 wrote for an event that changed a value.
_ROWS_OF_2 = """
    INSERT INTO events VALUES (1, '/tests', '1', 'com.example.happened', NULL, 1799999000.0, 'accepted', '', NULL, 1);
    INSERT INTO outcomes VALUES
        ('/tests', '1', 'demo.handle', 1799999001.0, 0.25, 1, NULL, NULL, 1, 1799999001000000000);
    INSERT INTO state VALUES ('demo', 'k', CAST('7' AS BLOB), 1799999001000000000, NULL);
    INSERT INTO changes VALUES (1799999001000000000, 'demo', 'k', NULL, CAST('7' AS BLOB), NULL, 1799999001.0);
"""
# What version 3 wrote: an event that changed a value and asked for an effect, one that two handlers share, a rejected
# input, and two markers whose events the log has forgotten, one of them with an effect left.
_ROWS_OF_3 = """
    INSERT INTO events VALUES
        (7, '/tests', 'b', 'com.example.happened', NULL, 1799999000.0, 'accepted', '', '{"id":"b"}', 2),
        (8, 'slack', NULL, '', NULL, 1799999002.0, 'rejected', 'not JSON', NULL, 1),
        (9, '/tests', 'a', 'com.example.happened', 'attic', 1799999003.0, 'accepted', '', '{"id":"a"}', 1);
    INSERT INTO outcomes VALUES
        ('/tests', 'a', 'demo.handle', 1799999003.0, 0.25, 1, '{"text":"a"}', '["a text"]', 5, 5),
        ('/tests', 'a', 'demo.other', 1799999004.0, 0.5, 2, NULL, NULL, 5, 5),
        ('/tests', 'b', 'demo.handle', 1799999001.0, 0.25, 1, '{"text":"b"}', NULL, 3, 5),
        ('/tests', 'gone', 'demo.handle', 1799990001.0, 0.25, 1, '{"text":"gone"}', NULL, 2, 2),
        ('/tests', 'gone', 'demo.other', 1799990002.0, 0.25, 1, NULL, NULL, 2, 2),
        ('/others', 'gone', 'demo.handle', 1799990000.0, 0.25, 1, NULL, NULL, 2, 2);
    INSERT INTO state VALUES ('demo', 'k', CAST('7' AS BLOB), 5, NULL);
    INSERT INTO changes VALUES (5, 'demo', 'k', CAST('6' AS BLOB), CAST('7' AS BLOB), NULL, 1799999001.0);
    INSERT INTO effects VALUES
        (1, '/tests', 'gone', 'demo.handle', 0, 'text', '{}', 'owner', 'given up', 5, 1799990001.0, '{"reason":"no"}'),
        (2, '/tests', 'b', 'demo.handle', 0, 'text', '{"to":"owner"}', 'owner', 'pending', 0, 1799999001.0, NULL);
    INSERT INTO inbox VALUES (1, '/tests', 'b', 'demo.slow', '{}', 3, 9.0, 1, 'hopeless', 9.0);
"""
DONE_IN_3 = [
    Work("/tests", "a", HANDLER),
    Work("/tests", "a", "demo.other"),
    Work("/tests", "b", HANDLER),
    Work("/tests", "gone", HANDLER),
    Work("/tests", "gone", "demo.other"),
    Work("/others", "gone", HANDLER),
]
_ROWS = (_ROWS_OF_1, _ROWS_OF_2, _ROWS_OF_3)


def write(path: Path, version: int) -> None:
    """Make a file as a version left it, counted from 1."""
    scripts = "".join(MIGRATIONS[:version])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {scripts} PRAGMA user_version = {version}; {_ROWS[version - 1]} COMMIT;")
