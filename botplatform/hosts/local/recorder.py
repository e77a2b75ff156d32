"""What was running when the process died: a handler that exits it would otherwise do so again for ever."""

from __future__ import annotations

import logging
import mmap
import threading
from collections.abc import Iterable
from pathlib import Path

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.store import StateKey, Work, Write
from botplatform.stores.sqlite import SqliteStore

logger = logging.getLogger(__name__)

_SLOTS = 128
_SLOT_SIZE = 1024
_LENGTH = 2
_FREE = bytes(_LENGTH)
_NO_SLOT = -1
_NAMESPACE = "@crashes"
_REMEMBERED = 86400.0
_PATIENCE = 5.0


class Recorder:
    """Notes each run in shared memory backed by a file, which outlives the process and costs no disk access."""

    def __init__(self, path: Path, store: SqliteStore, now: float) -> None:
        self._store = store
        self._suspect = threading.Lock()
        self._alone: Work | None = None  # who has it
        size = _SLOTS * _SLOT_SIZE
        if not path.exists() or path.stat().st_size != size:
            path.write_bytes(bytes(size))  # with no hole in it: to write into one on a full disk ends the process
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), size)
        self._free = list(range(0, size, _SLOT_SIZE))
        self._crashes: dict[str, int] = {}
        self._take_over(now)

    def begin(self, work: Work) -> int:
        """Note `work` as running, until what this returns is given to `end`.

        What ran when the process died runs alone among its kind, so that the innocent are not counted with the culprit
        time and again; unless the one before takes too long.
        """
        if self.crashes(work) and self._suspect.acquire(timeout=_PATIENCE):
            self._alone = work
        try:
            slot = self._free.pop()
        except IndexError:
            return _NO_SLOT
        content = codec.encode(work)[: _SLOT_SIZE - _LENGTH]
        noted = len(content).to_bytes(_LENGTH, "big") + content
        self._memory[slot : slot + len(noted)] = noted
        return slot

    def end(self, slot: int, work: Work) -> None:
        """Note that `work` is over."""
        if slot != _NO_SLOT:
            self._memory[slot : slot + _LENGTH] = _FREE
            self._free.append(slot)
        if self._alone is work:
            self._alone = None
            self._suspect.release()

    def crashes(self, work: Work) -> int:
        """How often the process died while it ran this."""
        return self._crashes.get(_name(work), 0) if self._crashes else 0

    def forgive(self, work: Work) -> None:
        """Count anew, for somebody wants it tried again."""
        self._crashes.pop(_name(work), None)

    def close(self) -> None:
        """Let go of the file."""
        self._memory.close()

    def _take_over(self, now: float) -> None:
        """Count what the last process left running, on top of what was counted before."""
        for name, value in self._store.scan(_NAMESPACE, ""):
            self._crashes[name] = codec.decode(value.json or b"0")
        for slot in self._free:
            start = slot + _LENGTH
            length = int.from_bytes(self._memory[slot:start], "big")
            if length:
                self._count(self._memory[start : start + length], now)
                self._memory[slot:start] = _FREE

    def _count(self, content: bytes, now: float) -> None:
        try:
            work = Work(*codec.decode(content))
        except (Rejected, TypeError):
            return  # too long for its slot, or torn while it was written
        name = _name(work)
        self._crashes[name] = self._crashes.get(name, 0) + 1
        write = Write("put", codec.encode(self._crashes[name]), now + _REMEMBERED)
        self._store.write({StateKey(_NAMESPACE, name): write})
        logger.warning("the process died while %s handled %s (%d times)", work.handler, work.id, self._crashes[name])


def forget_crashes(store: SqliteStore, works: Iterable[Work]) -> None:
    """Take out of the state how often the process died while it ran these."""
    keys = [StateKey(_NAMESPACE, _name(work)) for work in works]
    store.write({key: Write("delete") for key in keys if store.read(key).json is not None})


def _name(work: Work) -> str:
    return "|".join(work)[-800:]
