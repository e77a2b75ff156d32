"""A disk under SQLite that can lose its power, be slow, or refuse to be written.

It sits between SQLite and its usual VFS ("unix"), by the interface SQLite documents in "The OS Backend (VFS)": `xOpen`
is replaced, and in each file it opens `xWrite`, `xTruncate` and `xSync`. What was written to a file since its last
xSync is what a machine loses that loses its power: all of it, some of it, or with other bytes in its place.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

# sqlite3.h: SQLITE_IOERR_WRITE, "disk I/O error".
_REFUSED = 778

_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _Vfs(ctypes.Structure):
    """The beginning of sqlite3.h's struct sqlite3_vfs."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        ("xOpen", ctypes.c_void_p),
    )


class _Methods(ctypes.Structure):
    """sqlite3.h's struct sqlite3_io_methods, version 3."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("xClose", ctypes.c_void_p),
        ("xRead", ctypes.c_void_p),
        ("xWrite", ctypes.c_void_p),
        ("xTruncate", ctypes.c_void_p),
        ("xSync", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 13),
    )


# C points to these as long as the process lives.
_KEPT: list[Any] = []


@dataclass
class _File:
    """One file: its size when it was last synced, and what was written since as (offset, before, after)."""

    path: Path
    handle: int
    synced: int
    since: list[tuple[int, bytes, bytes]] = field(default_factory=list)

    def lose(self, chance: random.Random) -> None:
        """Become what the file may be after a power failure."""
        for offset, before, _ in reversed(self.since):
            os.pwrite(self.handle, before, offset)
        os.ftruncate(self.handle, self.synced)
        for offset, _, after in self.since:
            fate = chance.choice(("lost", "lost", "kept", "garbled"))
            if fate != "lost":
                os.pwrite(self.handle, after if fate == "kept" else chance.randbytes(len(after)), offset)


class Disk:
    """What SQLite of this process writes to from now on; an xSync takes `sync_takes` seconds longer.

    While the file `refuses` exists, it takes no writes.
    """

    def __init__(self, sync_takes: float = 0.0, refuses: Path | None = None) -> None:
        self._sync_takes = sync_takes
        self._refuses = refuses
        self._lock = threading.RLock()
        self._files: dict[str, _File] = {}
        self._open: dict[int, _File] = {}
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        vfs = library.sqlite3_vfs_find(None).contents
        self._really_open = _OPEN(vfs.xOpen)
        vfs.xOpen = self._callback(_OPEN, self._on_open)

    def lose_power(self) -> NoReturn:
        """End this process, and leave of its files what a power failure may leave."""
        self._lock.acquire()  # for ever: nobody writes any more
        chance = random.Random()
        for file in self._files.values():
            file.lose(chance)
            Path(f"{str(file.path).removesuffix('-wal')}-shm").unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("nobody survives that")

    def _on_open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        failed = self._really_open(vfs, name, file, flags, out)  # which keeps `name`: it must be the same address
        if not failed and name:
            with self._lock:
                self._open[file] = self._known(ctypes.string_at(name).decode())
            methods = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))
            assert methods[0] is not None
            methods[0] = ctypes.addressof(self._instead_of(_Methods.from_address(methods[0])))
        return failed

    def _known(self, name: str) -> _File:
        known = self._files.get(name)
        if known is None or not os.path.samestat(os.fstat(known.handle), os.stat(name)):  # or a new file of that name
            handle = os.open(name, os.O_RDWR)  # never closed: that would take SQLite's own locks away
            self._files[name] = _File(Path(name), handle, os.fstat(handle).st_size)
        return self._files[name]

    def _instead_of(self, methods: _Methods) -> _Methods:
        copy = _Methods.from_buffer_copy(methods)
        copy.xWrite = self._callback(_WRITE, self._writes(_WRITE(methods.xWrite)))
        copy.xTruncate = self._callback(_TRUNCATE, self._truncates(_TRUNCATE(methods.xTruncate)))
        copy.xSync = self._callback(_SYNC, self._syncs(_SYNC(methods.xSync)))
        _KEPT.append(copy)
        return copy

    def _writes(self, write: Callable[..., int]) -> Callable[..., int]:
        def on_write(file: int, data: int, amount: int, offset: int) -> int:
            with self._lock:
                if self._refuses and self._refuses.exists():
                    return _REFUSED
                known = self._open[file]
                before = os.pread(known.handle, amount, offset)
                known.since.append((offset, before, ctypes.string_at(data, amount)))
                return write(file, data, amount, offset)

        return on_write

    def _truncates(self, truncate: Callable[..., int]) -> Callable[..., int]:
        def on_truncate(file: int, size: int) -> int:
            with self._lock:
                known = self._open[file]
                gone = os.pread(known.handle, os.fstat(known.handle).st_size, size)
                known.since.append((size, gone, b""))
                return truncate(file, size)

        return on_truncate

    def _syncs(self, sync: Callable[..., int]) -> Callable[..., int]:
        def on_sync(file: int, flags: int) -> int:
            time.sleep(self._sync_takes)
            with self._lock:
                known = self._open[file]
                failed = sync(file, flags)
                if not failed:
                    known.synced, known.since = os.fstat(known.handle).st_size, []
                return failed

        return on_sync

    def _callback(self, kind: Any, function: Callable[..., int]) -> int | None:
        made = kind(function)
        _KEPT.append(made)
        return ctypes.cast(made, ctypes.c_void_p).value
