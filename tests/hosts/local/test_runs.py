"""How single runs of handlers are kept from doing harm again and again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from botplatform import Context, Event, Retry, slack
from botplatform.hosts.local.runs import CRASH_LIMIT, STUCK_LIMIT
from botplatform.store import Work
from tests.handlers import SOURCE, handler_of, happened
from tests.hosts.local.machine import Gate, Start, dead_letters, state, waiting
from tests.mosquitto import eventually

ROOT = Path(__file__).resolve().parents[3]


def count(ctx: Context) -> None:
    ctx.state.add("count")


counting = handler_of(count)


# Handlers that hang.


def test_a_handler_that_hangs_is_given_up_and_its_late_commit_refused(start: Start, gate: Gate) -> None:
    runs: list[int] = []

    def hang(ctx: Context) -> None:
        runs.append(1)
        run = len(runs)
        if run == 1:
            gate.wait()
        ctx.state.append("committed", run)

    machine = start(handler_of(hang), counting, deadline=0.1)
    machine.handle(happened())
    eventually(lambda: state(machine) == {"count": 1, "committed": [2]})

    gate.open()
    eventually(lambda: machine.dispatcher.runs.stuck["demo.hang"] == 0)
    assert state(machine) == {"count": 1, "committed": [2]}
    assert machine.dispatcher.counts["handlers that hung"] == 1
    assert waiting(machine) == []


def test_a_late_commit_is_refused_though_no_other_attempt_was_made_yet(start: Start, gate: Gate) -> None:
    def hang(ctx: Context) -> None:
        gate.wait()
        ctx.state["late"] = True

    machine = start(handler_of(hang), deadline=0.1)
    machine.dispatcher.backoff = lambda attempts: 3600.0 * attempts
    machine.handle(happened())
    gate.open()

    eventually(lambda: machine.dispatcher.runs.stuck["demo.hang"] == 0)
    assert (state(machine), waiting(machine)) == ({}, ["1"])


def test_a_handler_that_hangs_and_then_fails_counts_one_attempt(start: Start, gate: Gate) -> None:
    runs: list[int] = []

    def hang() -> None:
        runs.append(1)
        if len(runs) == 1:
            gate.wait()
            raise LookupError("late")
        raise Retry("not yet", after=3600)

    machine = start(handler_of(hang), deadline=0.1)
    machine.handle(happened())
    eventually(lambda: len(runs) == 2)
    gate.open()

    eventually(lambda: machine.dispatcher.runs.stuck["demo.hang"] == 0)
    eventually(lambda: [(item.attempts, item.reason) for item in machine.store.inbox.waiting()] == [(2, "not yet")])


def test_a_handler_that_hangs_too_often_is_not_started_until_one_of_its_runs_is_over(start: Start, gate: Gate) -> None:
    ran: list[str] = []

    def hang(event: Event) -> None:
        ran.append(event.id)
        if event.data == "hang":
            gate.wait()

    machine = start(handler_of(hang), deadline=0.1)
    machine.dispatcher.backoff = lambda attempts: 3600.0 * attempts
    machine.handle(*(happened(str(n), data="hang") for n in range(STUCK_LIMIT)))
    (refused,) = machine.handle(happened("refused"))
    assert (refused.results[0].status, "refused" in ran) == ("waiting", False)
    assert refused.results[0].reason == f"{STUCK_LIMIT} runs of demo.hang hang already"

    gate.open()
    eventually(lambda: machine.dispatcher.runs.stuck["demo.hang"] == 0)
    (taken,) = machine.handle(happened("taken"))
    assert taken.results[0].status == "done"


def test_what_is_done_and_comes_again_is_settled_though_its_handler_is_not_started_any_more(start: Start) -> None:
    machine = start(handler_of(lambda: None))
    machine.handle(happened())
    machine.dispatcher.runs.stuck["demo.<lambda>"] = STUCK_LIMIT

    (again,) = machine.handle(happened())

    assert again.results[0].again


def test_somebody_who_waits_for_a_handler_that_hangs_is_told_so_and_it_is_not_tried_again(
    start: Start, gate: Gate
) -> None:
    @slack.command("/temp {room}")
    def hang(ctx: Context) -> None:
        gate.wait()
        ctx.state["late"] = True

    machine = start(handler_of(hang), deadline=0.1)
    data = {"command": "/temp", "text": "attic"}
    (delivery,) = machine.handle(happened(type="com.slack.command", subject="/temp", data=data))
    gate.open()

    assert delivery.reply == "Sorry, that went wrong. It is in the log."
    eventually(lambda: machine.dispatcher.runs.stuck["demo.hang"] == 0)
    assert dead_letters(machine) == [("1", 1, "it ran for more than 0.1 s")]
    assert state(machine) == {}


# Handlers that end the process.


DYING = """
import os, sys, time
from pathlib import Path
from tests.handlers import handler_of, happened
from tests.hosts.local.machine import Machine
from tests.mosquitto import eventually

def handle(event, ctx):
    if event.data == "die":
        time.sleep(0.05)
        os._exit(7)
    time.sleep(0.2)
    ctx.state.append("done", event.id)

machine = Machine(Path(sys.argv[1]), handler_of(handle))
if sys.argv[2:]:
    for n in range(3):
        machine.dispatcher.submit(happened(f"before {n}"), durable=True)
    machine.dispatcher.submit(happened("die", data="die"), durable=True)
    machine.dispatcher.submit(happened("after"), durable=True)
else:
    machine.resume()
eventually(lambda: not machine.store.inbox.waiting())
machine.stop()
"""


def test_an_event_whose_handler_exits_the_process_is_given_up_at_the_fourth_start_and_no_other(
    start: Start, tmp_path: Path
) -> None:
    def run(*arguments: str) -> int:
        command = [sys.executable, "-c", DYING, str(tmp_path), *arguments]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode

    assert [run("first"), *(run() for _ in range(CRASH_LIMIT))] == [7] * CRASH_LIMIT + [0]

    machine = start()
    reason = f"the process died {CRASH_LIMIT} times while demo.handle handled it"
    assert dead_letters(machine) == [("die", 1, reason)]
    assert sorted(state(machine)["done"]) == ["after", "before 0", "before 1", "before 2"]


IN_A_GROUP = """
import os, sys, threading, time
from pathlib import Path
from tests.handlers import handler_of, happened
from tests.hosts.local.machine import Machine
from botplatform.hosts.intake import Arrival

def handle(event, ctx):
    if event.data == "die":
        os._exit(7)
    ctx.state.append("done", event.id)

machine = Machine(Path(sys.argv[1]), handler_of(handle))
machine.handle(*(happened(f"before {n}") for n in range(20)))
machine.dispatcher.submit_all([Arrival(happened(str(n), data="die" if n == 50 else "")) for n in range(100)])
threading.Event().wait(20)
"""


def test_of_the_events_in_a_group_only_that_whose_handler_exits_the_process_is_remembered(
    start: Start, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", IN_A_GROUP, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 7

    machine = start()
    crashes = {n: machine.recorder.crashes(Work(SOURCE, str(n), "demo.handle")) for n in range(100)}
    assert {n: number for n, number in crashes.items() if number} == {50: 1}
