"""Something done on a thread of its own, so that whoever wants what comes of it need not wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """Begins `act` at once, which raises nothing. One that hangs keeps its thread, until the process ends."""

    def __init__(self, act: Callable[[], T], name: str) -> None:
        self._act = act
        self._returned: list[T] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def result(self, timeout: float | None = None) -> T:
        """What it returned; raises TimeoutError where that takes longer than so many seconds from now."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError
        if not self._returned:
            raise RuntimeError(f"{self._thread.name} died")
        return self._returned[0]

    def _run(self) -> None:
        self._returned.append(self._act())
