"""What this machine did, for people and for tools: a line for each event, and counts."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from botplatform import codec
from botplatform.hosts.runner import VERSION, Entry

logger = logging.getLogger(__name__)

# What the counts call the statuses and verdicts of the log.
_COUNTS = {"done": "handled", "waiting": "failed", "dead": "dead", "rejected": "rejected", "unmatched": "unmatched"}


class Journal:
    """Takes the entries of the log, from any thread; with `every` it writes each to `stream` as a line of JSON."""

    def __init__(self, stream: TextIO, every: bool) -> None:
        self._stream = stream
        self._every = every
        self._lock = threading.Lock()
        self._counts = Counter(dict.fromkeys(_COUNTS.values(), 0))

    def note(self, made: Callable[[], Entry]) -> None:
        """Count what came of an event, and tell people what went wrong."""
        entry = made()
        found = [entry["verdict"], *(handled["status"] for handled in entry.get("handlers", ()))]
        with self._lock:
            self._counts.update(_COUNTS[status] for status in found if status in _COUNTS)
        if self._every:
            self._write(entry)
        else:
            _tell(entry)

    def swept(self, effects: Sequence[Entry]) -> None:
        """Note what came of effects that were left behind."""
        if effects and self._every:
            self._write({"botplatform": VERSION, "received": time.time(), "verdict": "swept", "effects": effects})
        for effect in effects:
            logger.info("left behind: %s is %s: %s", effect["name"], effect["status"], effect["result"])

    def count(self, **more: int) -> Mapping[str, int]:
        """Write the counts since the start, and others besides, as a line of JSON; returns them."""
        with self._lock:
            counts = {**self._counts, **more}
        self._write({"botplatform": VERSION, "counts": counts})
        return counts

    def _write(self, value: Mapping[str, object]) -> None:
        line = codec.encode(value).decode() + "\n"
        with self._lock, suppress(OSError):  # nobody reads it any more; what was done is done all the same
            self._stream.write(line)
            self._stream.flush()


def _tell(entry: Entry) -> None:
    about = f"{entry['source']} {entry.get('id', '')}".strip()
    if entry["reason"]:
        logger.warning("%s: %s: %s", about, entry["verdict"], entry["reason"])
    for handled in entry.get("handlers", ()):
        if handled["status"] != "done":
            level = logging.INFO if handled.get("asked") else logging.WARNING
            logger.log(level, "%s: %s is %s: %s", about, handled["handler"], handled["status"], handled["reason"])
        for effect in handled.get("effects", ()):
            if effect["status"] != "performed":
                logger.warning("%s: %s is %s: %s", about, effect["name"], effect["status"], effect["result"])
