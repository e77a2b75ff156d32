"""Disks that lose what was not synced, are slow, full or broken, and a database that somebody else holds."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.disks import SmallDisk, mounted
from tests.faults.load import post
from tests.faults.points import BEFORE_ANSWER, POINTS
from tests.faults.report import Fault, Report
from tests.faults.stage import Stage, side_by_side, stage
from tests.faults.victim import REFUSES, Orders
from tests.hosts.local.running import Answer, request
from tests.mosquitto import eventually

UNHEARD_OF = 1_000_000_000


@pytest.mark.timeout(600)
def test_what_was_acknowledged_survives_that_the_power_fails(
    tmp_path: Path, fault_runs: int, fault_report: Report
) -> None:
    def fail_often(stage: Stage, runs: int) -> Fault:
        stage.begin()
        stage.kill_now()
        for _ in range(runs):
            stage.kill(Orders(random.choice(POINTS), passing=random.randrange(1, 40), power_fails=True))
        return stage.settle("the power fails")

    fault = side_by_side(tmp_path, fault_runs, fail_often)

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault


def test_without_a_sync_at_each_commit_it_would_not(tmp_path: Path) -> None:
    careless = Orders(BEFORE_ANSWER, passing=200, power_fails=True, careless=True)
    with stage(tmp_path) as victims:
        victims.begin()
        victims.kill_now()
        for _ in range(2):
            victims.kill(careless)

        assert victims.settle("the power fails").lost


def test_on_a_slow_disk_everything_goes_on(tmp_path: Path, fault_report: Report) -> None:
    with stage(tmp_path, pace=0.5) as slow:
        slow.begin(Orders(sync_takes=0.1))
        slow.goes_on(posts=30)
        fault = slow.settle("an fsync takes 100 ms")

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault


def test_a_disk_that_refuses_to_be_written_makes_everybody_wait(tmp_path: Path, fault_report: Report) -> None:
    with stage(tmp_path) as broken:
        broken.begin()
        broken.goes_on()
        (tmp_path / REFUSES).touch()
        waits_for_the_state(broken)
        (tmp_path / REFUSES).unlink()
        fault = broken.settle("the disk refuses to be written")

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault


def test_a_full_disk_makes_everybody_wait(tmp_path: Path, fault_report: Report) -> None:
    with mounted(tmp_path / "state", "size=32m") as folder, stage(tmp_path) as full:
        full.begin()
        full.goes_on()
        disk = SmallDisk(folder)
        disk.fill()
        waits_for_the_state(full)
        disk.make_room()
        fault = full.settle("the disk is full")

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault


def test_a_database_that_another_process_holds_makes_everybody_wait(tmp_path: Path, fault_report: Report) -> None:
    with stage(tmp_path) as locked:
        locked.begin()
        locked.goes_on()
        with closing(sqlite3.connect(tmp_path / "state" / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            waits_for_the_state(locked)
            other.execute("ROLLBACK")
        fault = locked.settle("another process holds the database")

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault


def waits_for_the_state(stage: Stage) -> None:
    """Wait until an event is refused because it cannot be stored, by a platform that is alive."""
    refusals: list[Answer] = []
    numbers = count(UNHEARD_OF)

    def refuses() -> bool:
        refusals.append(post(stage.url, next(numbers)))
        return refusals[-1].status == 503

    eventually(refuses, seconds=60)
    assert "the state cannot be written" in refusals[-1].error
    assert request(f"{stage.url}/health", method="GET").status == 200
