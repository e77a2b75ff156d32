"""Watches the plugin folder and has the plugins loaded again when a file in it changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from botplatform.errors import BotplatformError

logger = logging.getLogger(__name__)

Snapshot = frozenset[tuple[str, int, int]]


class Reloader:
    """Looks twice a second and calls `reload` once a change has settled."""

    def __init__(self, folders: Sequence[Path], reload: Callable[[], None], interval: float = 0.5) -> None:
        self._folders = folders
        self._reload = reload
        self._interval = interval
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="reload", daemon=True)
        self._loaded = snapshot(folders)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join()

    def _loop(self) -> None:
        before = self._loaded
        while not self._stopping.wait(self._interval):
            now = snapshot(self._folders)
            if now == before != self._loaded:
                self._loaded = now
                self._try_to_reload()
            before = now

    def _try_to_reload(self) -> None:
        try:
            self._reload()
        except BotplatformError as error:
            logger.error("the plugins are not loaded anew: %s", error)


def snapshot(folders: Sequence[Path]) -> Snapshot:
    """The Python files in some folders with their times and sizes."""
    found = set()
    for folder in folders:
        for path in folder.glob("*.py"):
            try:
                stat = path.stat()
            except OSError:
                continue  # gone since it was listed
            found.add((str(path), stat.st_mtime_ns, stat.st_size))
    return frozenset(found)
