"""Handlers that raise, hang, exit, want all memory, fork, print, close files, or change the event they are given."""

from __future__ import annotations

import json
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from botplatform.hosts.local.runs import CRASH_LIMIT
from botplatform.stores.sqlite.reading import reading
from tests.faults.load import post
from tests.faults.report import Report
from tests.faults.stage import DATABASE, QUIETLY, Stage, stage, state_of
from tests.faults.victim import Orders
from tests.mosquitto import eventually

BAD = '''"""Behaves badly."""

import os
import sys
import time

from botplatform import Context, Event, cloudevents


@cloudevents.event("com.example.bad")
def behave(event: Event, ctx: Context) -> None:
    {does}
'''
MEDDLERS = '''"""Two that change what they are given, and keep what they were given."""

import json

from botplatform import Context, Event, cloudevents


@cloudevents.event("com.example.bad")
def meddle(event: Event, ctx: Context) -> None:
    ctx.state["first"] = json.dumps(event.data)
    event.data.append("mine")


@cloudevents.event("com.example.bad")
def meddle_too(event: Event, ctx: Context) -> None:
    ctx.state["second"] = json.dumps(event.data)
    event.data.clear()
'''
# What a handler does, what becomes of its events, and what it takes for that.
FATES = {
    "raises": ("raise LookupError(event.data)", "dead", Orders()),
    "hangs": ("time.sleep(3600)", "dead", Orders(deadline=0.2)),
    "exits": ("sys.exit(1)", "dead", Orders()),
    "wants all memory": ("[bytes(2**26) for _ in range(10**6)]", "dead", Orders(memory=2**29)),
    "prints": ("print('x' * 100_000)", "done", Orders()),
    "closes standard output": ("sys.stdout.close()", "done", Orders()),
    "forks": ("os.fork() or os._exit(0)", "done", Orders()),
}
EVENTS = 6


@pytest.mark.parametrize("fate", FATES)
def test_a_handler_that_misbehaves_harms_its_own_events_only(tmp_path: Path, fate: str, fault_report: Report) -> None:
    does, end, orders = FATES[fate]
    with stage(tmp_path, {"bad": BAD.format(does=does)}) as victims:
        victims.begin(orders)
        for number in range(EVENTS):
            assert post(victims.url, number, kind="bad").status == 202
        victims.goes_on()
        eventually(lambda: ends(victims) == [end] * EVENTS, seconds=60)
        fault = victims.settle(f"a handler {fate}")

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault


def test_a_handler_that_ends_the_process_is_given_up_and_everything_else_goes_on(
    tmp_path: Path, fault_report: Report
) -> None:
    with stage(tmp_path, {"bad": BAD.format(does="os._exit(1)")}) as victims:
        victims.begin()
        for _ in range(CRASH_LIMIT):
            victims.goes_on()
            with suppress(OSError, HTTPException):  # nobody is left to answer
                post(victims.url, 1, kind="bad")
            assert victims.die() == 1
            victims.victim.live(QUIETLY)
        victims.goes_on()
        assert post(victims.url, 1, kind="bad").status == 202
        assert ends(victims) == ["dead"]
        fault = victims.settle("a handler ends the process")

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault


def test_a_handler_that_closes_the_files_of_the_platform_costs_a_restart_and_nothing_else(
    tmp_path: Path, fault_report: Report
) -> None:
    with stage(tmp_path, {"bad": BAD.format(does="os.closerange(3, 1024)")}) as victims:
        victims.begin()
        victims.goes_on()
        with suppress(OSError, HTTPException):  # there is nothing left to answer with
            post(victims.url, 1, kind="bad")
        victims.kill_now()
        (tmp_path / "plugins" / "bad.py").unlink()
        fault = victims.settle("a handler closes all files")

    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault


def test_what_a_handler_does_to_its_event_is_seen_by_no_other(tmp_path: Path) -> None:
    with stage(tmp_path, {"meddlers": MEDDLERS}) as victims:
        victims.begin()
        assert post(victims.url, 1, kind="bad", data=["given"]).status == 202
        victims.settle("a handler changes its event")

    given = json.dumps(["given"])
    assert state_of(tmp_path, "meddlers") == {"first": given, "second": given}


def ends(stage: Stage) -> list[str]:
    """What became of the events of the bad handler."""
    with reading(stage.folder / DATABASE) as kept:
        handlers = [handler for event in kept.log.events(limit=1_000_000) for handler in event["handlers"]]
    return [handler["status"] for handler in handlers if handler["handler"].startswith("bad.")]
