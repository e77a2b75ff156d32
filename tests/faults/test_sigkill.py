"""A process that is killed, at every point an event passes on its way."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.points import AFTER_MARK, BEFORE_EFFECT, BEFORE_MARK, INBOX, POINTS
from tests.faults.report import Report
from tests.faults.stage import Fault, Stage, side_by_side
from tests.faults.victim import Orders

# How often a point is passed before it kills: from the first events after a start to the midst of the load.
PASSINGS = range(1, 40)
# What few events pass would take longer to pass as often.
FEWER = range(1, 10)
SELDOM = {INBOX, BEFORE_EFFECT, BEFORE_MARK, AFTER_MARK}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("point", POINTS)
def test_whatever_point_the_process_is_killed_at_nothing_is_lost_or_counted_twice(
    tmp_path: Path, point: str, fault_runs: int, fault_report: Report
) -> None:
    def kill_often(stage: Stage, runs: int) -> Fault:
        stage.begin()
        stage.kill_now()
        for _ in range(runs):
            stage.kill(Orders(point, random.choice(FEWER if point in SELDOM else PASSINGS)))
        return stage.settle(f"SIGKILL {point}")

    fault = side_by_side(tmp_path, fault_runs, kill_often)

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault
