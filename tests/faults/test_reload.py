"""Plugins that somebody edits, for better and for worse, while events come in."""

from __future__ import annotations

from pathlib import Path

from tests.faults.report import Report
from tests.faults.stage import WITNESS, stage
from tests.hosts.local.running import written
from tests.mosquitto import eventually

EDITS = 5


def test_plugins_that_are_edited_under_load_lose_and_double_nothing(tmp_path: Path, fault_report: Report) -> None:
    with stage(tmp_path) as edited:
        edited.begin()
        for number in range(EDITS):
            source = f"{WITNESS}\n# Edition {number}.\n" if number % 2 else "this is no Python"
            written(tmp_path, {"witness": source})
            eventually(lambda done=number + 1: edited.victim.log.read_text().count("plugins loaded anew") == done)
            edited.goes_on()
        fault = edited.settle("plugins are edited")

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault
