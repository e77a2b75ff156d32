"""A watched folder: CloudTrail files that appear in it, however deep, are taken in once."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from botplatform.errors import Rejected, Retry, StateUnavailable
from botplatform.hosts.local.doors import Doors
from botplatform.source import Raw
from botplatform.store import StateKey, Write
from botplatform.stores.sqlite import SqliteStore

logger = logging.getLogger(__name__)

_ENDINGS = (".json", ".jsonl", ".gz")
_NAMESPACE = "@folder"
_DONE = Write("put", b"true", expires=None)


class WatchedFolder:
    """Looks each second; a file counts once it has not changed between two looks."""

    def __init__(self, folder: Path, doors: Doors, store: SqliteStore, interval: float = 1.0) -> None:
        self._folder = folder
        self._doors = doors
        self._store = store
        self._interval = interval
        self._seen: dict[Path, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="folder", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """Take in what is new and has settled."""
        for path in sorted(self._folder.rglob("*")):
            if path.name.endswith(_ENDINGS) and path.is_file():
                stat = path.stat()
                version = f"{path.relative_to(self._folder)}|{stat.st_size}|{stat.st_mtime_ns}"
                settled = self._seen.get(path) == version
                self._seen[path] = version
                if settled and self._store.read(StateKey(_NAMESPACE, version[-900:])).json is None:
                    self._take_in(path, version)

    def _take_in(self, path: Path, version: str) -> None:
        try:
            receipt = self._doors.post(Raw(path.read_bytes()), within=30.0)
            logger.info("%s: %d events", path, receipt.accepted)
            for rejected in receipt.rejected:
                logger.warning("%s: %s", path, rejected)
        except Rejected as rejected:
            logger.warning("%s: %s", path, rejected)
        self._store.write({StateKey(_NAMESPACE, version[-900:]): _DONE})

    def _loop(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.look()
            except (OSError, Retry, StateUnavailable) as error:
                logger.error("the folder %s waits: %s", self._folder, error)
                self._stopping.wait(5)
