"""What work costs for each of many events: CPU time of passes over all of them, the matches counted.

CPU time, since what other processes do takes nothing of it; work that never waits takes no more time than that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from benchmarks.measure import Figures, Wrong

COST = "us of CPU per event"
PASSES = 5
_NOTHING: Mapping[str, float] = MappingProxyType({})


def measured(
    work: Callable[[Any], int],
    items: Sequence[Any],
    matches: int,
    about: Mapping[str, float] = _NOTHING,
    passes: int = PASSES,
) -> Figures:
    """The microseconds of CPU time that `work` takes for one item, and what else there is to say `about` it.

    Raises Wrong unless its results add up to `matches` in each pass.
    """
    found = 0
    began = time.process_time()
    for _ in range(passes):
        found += sum(map(work, items))
    return figures((time.process_time() - began) / passes, len(items), found / passes, matches, about)


def figures(seconds: float, events: int, found: float, matches: int, about: Mapping[str, float]) -> Figures:
    """The figures of one pass over so many events; raises Wrong unless as many matches were found as there are."""
    if found != matches:
        raise Wrong(f"{found:,.0f} matches were found, there are {matches:,}")
    return {COST: seconds / events * 1e6, **about}


@contextmanager
def one_core() -> Iterator[None]:
    """Keep to one core until the end of the block, and the processes started in it, too, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
