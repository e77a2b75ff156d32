"""Costs per event: no figure without the matches there have to be."""

from __future__ import annotations

import os

import pytest

from benchmarks.measure import Wrong
from benchmarks.per_event import COST, measured, one_core


def test_every_item_is_worked_on_in_every_pass():
    worked = []
    figures = measured(lambda item: worked.append(item) or 2, ["a", "b"], 4, {"patterns": 7.0}, passes=3)
    assert worked == ["a", "b"] * 3
    assert figures.keys() == {COST, "patterns"}
    assert figures["patterns"] == 7.0


def test_one_match_too_few_is_wrong():
    with pytest.raises(Wrong, match="3 matches were found, there are 4"):
        measured(len, ["a", "bb"], 4)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system keeps no process to a core")
def test_one_core_is_kept_to_until_the_end_of_the_block():
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
