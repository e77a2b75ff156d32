"""The bodies of requests, in memory from when they are read to the answer: together they have a limit.

Anybody may send one to /slack or /alexa, and it has to be there before its signature can be checked.
"""

from __future__ import annotations

from collections.abc import Callable

from botplatform.errors import Overloaded
from botplatform.hosts.local.levels import Level

# BOTPLATFORM_BODIES_LIMIT where nobody says otherwise.
LIMIT = 128


class Bodies:
    """How many bytes are `held`, against a `limit` in MiB; whatever that refuses is given to `count`, by name."""

    def __init__(self, limit: int = LIMIT, count: Callable[[str], object] = lambda _: None) -> None:
        self.level = Level("BOTPLATFORM_BODIES_LIMIT", limit, self._mebibytes, "MiB of requests are in memory")
        self.held = 0
        self._count = count

    def hold(self, size: int) -> None:
        """Note so many bytes more; raises Overloaded, and notes nothing, where there is no room for any."""
        try:
            self.level.check()
        except Overloaded:
            self._count("refused: the limit of bodies is reached")
            raise
        self.held += size

    def let_go(self, size: int) -> None:
        """Note that so many bytes are needed no more."""
        self.held -= size

    def _mebibytes(self) -> int:
        return self.held >> 20
