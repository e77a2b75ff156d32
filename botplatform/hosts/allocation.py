"""How a process with many threads asks the system for memory."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# malloc.h of glibc, "M_ARENA_MAX".
_ARENA_MAX = -8


def share_freed_memory() -> None:
    """Let all threads use what any of them has freed; to be called before there are any.

    glibc gives threads arenas of their own, up to eight a core, so that they need not wait for each other, and each
    keeps what was freed in it (malloc(3), mallopt(3)). Python's threads take turns anyway. Does nothing without glibc.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)
