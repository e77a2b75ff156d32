"""How a process that runs for long, with many threads, asks for memory and gives it back."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

# malloc.h of glibc, "M_ARENA_MAX".
_ARENA_MAX = -8
# How many objects more there may be before Python looks for cycles among the young ones (its own: 700, 10, 10).
_YOUNG, _OLDER, _OLD = 20_000, 50, 50


def share_freed_memory() -> None:
    """Let all threads use what any of them has freed; to be called before there are any.

    glibc gives threads arenas of their own, up to eight a core, so that they need not wait for each other, and each
    keeps what was freed in it (malloc(3), mallopt(3)). Python's threads take turns anyway. Does nothing without glibc.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def collect_seldom() -> None:
    """Look for cycles seldom, and never in what there is by now; to be called when all is loaded.

    An event leaves hundreds of objects behind and no cycle among them: to look for some took 6 to 25 % of all the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLD)
