"""What a process takes, seen from outside: memory, handles, threads, and what its state has counted."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple


class Taken(NamedTuple):
    """What a process has at one moment: resident memory in MB, open files, threads, and the bytes of its state."""

    memory: float
    files: int
    threads: int
    disk: int


def taken(pid: int, state: Path) -> Taken:
    """Look at a process (Linux: proc(5)) and at its folder of state."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    disk = sum(file.stat().st_size for file in state.glob("state.db*"))
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Taken(int(status["VmRSS"].split()[0]) / 1024, files, int(status["Threads"]), disk)


def counted(state: Path) -> Counter[str]:
    """What the plugin has counted, by source."""
    sql = "SELECT key, value FROM state WHERE plugin = 'soak_counter' AND key NOT LIKE 'latest%'"
    with closing(sqlite3.connect(f"{(state / 'state.db').resolve().as_uri()}?mode=ro", uri=True)) as database:
        return Counter({key: int(value) for key, value in database.execute(sql)})
