"""One platform on one state folder: two would both handle what is in its inbox."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from botplatform.errors import StateUnavailable


class FolderInUse(StateUnavailable):
    """Another process holds the lock."""


class FolderLock:
    """Held as long as this process lives; raises FolderInUse, or StateUnavailable for a folder that cannot be used."""

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+")
        except OSError as error:
            raise StateUnavailable(
                f"the state folder {folder} cannot be written: {error.strerror}; "
                "make it writable, or choose another with BOTPLATFORM_STATE"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = path.read_text().strip() or "?"
            self._file.close()
            raise FolderInUse(
                f"the state folder {folder} is in use by another platform (process {holder}): "
                "stop that one, or choose another folder with BOTPLATFORM_STATE"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let another platform have the folder."""
        self._file.close()
