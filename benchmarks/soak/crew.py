"""Speakers side by side: as fast as they get answers, or at a pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.soak.speaking import Speaker


class Crew:
    """Counts the turns its speakers have had."""

    def __init__(self, speakers: Sequence[Speaker]) -> None:
        self._speakers = speakers
        self._lock = threading.Lock()
        self.turns = 0

    def speak(self, seconds: float, pace: float | None = None) -> None:
        """Let all speak for so long; with a `pace`, so many turns a second in all. Raises what went wrong."""
        end = time.monotonic() + seconds
        with ThreadPoolExecutor(len(self._speakers)) as pool:
            for done in [pool.submit(self._speak, s, n, end, pace) for n, s in enumerate(self._speakers)]:
                done.result()

    def took(self) -> list[float]:
        """What the speakers noted since this was asked last, in seconds."""
        return [seconds for speaker in self._speakers for seconds in speaker.took()]

    def _speak(self, speaker: Speaker, number: int, end: float, pace: float | None) -> None:
        each = len(self._speakers) / pace if pace else 0.0
        due = time.monotonic() + each * number / len(self._speakers)
        while time.monotonic() < end:
            # One that is late goes on at the pace, and does not run after what it missed.
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due + each, time.monotonic())
            speaker.turn()
            with self._lock:
                self.turns += 1
