"""A platform that is stopped by its administrator in the midst of its work."""

from __future__ import annotations

from pathlib import Path

from tests.faults.report import Fault, Report
from tests.faults.stage import QUIETLY, Stage, side_by_side


def test_a_platform_that_is_told_to_stop_finishes_what_runs_and_leaves_the_rest(
    tmp_path: Path, fault_runs: int, fault_report: Report
) -> None:
    def stop_often(stage: Stage, runs: int) -> Fault:
        stage.begin()
        for _ in range(runs):
            stage.goes_on()
            stage.stop()
            stage.victim.live(QUIETLY)
        return stage.settle("SIGTERM")

    fault = side_by_side(tmp_path, fault_runs, stop_often)

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault
    assert not fault.duplicated_effects
