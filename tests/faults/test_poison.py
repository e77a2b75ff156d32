"""Thousands of messages that no attempt can handle, in the midst of ten times as many good ones."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from botplatform import Context, Event, cloudevents
from botplatform.errors import Overloaded, Rejected
from botplatform.hosts.local.delivery import Delivery
from botplatform.store import StateKey
from tests.faults.report import Fault, Report
from tests.handlers import handler_of, happened
from tests.hosts.local.machine import Machine
from tests.mosquitto import eventually

# For each run of a fault; so with 50, 10,000 among 100,000.
GOOD, POISON = 2000, 200


def take(event: Event, ctx: Context) -> None:
    if event.data == "poison":
        raise Rejected("poison")
    ctx.state.add("count")


@cloudevents.event("com.example.asked")
def answer(ctx: Context) -> None:
    ctx.state.add("answered")


@pytest.mark.timeout(300)
def test_poison_ends_as_dead_letters_and_holds_up_nobody(tmp_path: Path, fault_runs: int, fault_report: Report) -> None:
    machine = Machine(tmp_path, handler_of(take), handler_of(answer, plugin="other"))
    flood = threading.Thread(target=pour, args=(machine, fault_runs))
    flood.start()
    answered = 0
    while flood.is_alive():
        submit(machine, happened(f"asked {answered}", type="com.example.asked")).settled.wait()
        answered += 1
    eventually(lambda: not machine.dispatcher.busy(), seconds=120)

    counted = int(machine.store.read(StateKey("demo", "count")).json or b"0")
    missing = GOOD * fault_runs - counted
    poison = "a message in eleven is poison"
    fault_report.note(Fault(poison, POISON * fault_runs, lost=max(0, missing), duplicated_state=max(0, -missing)))
    assert answered > fault_runs
    assert missing == 0
    assert machine.store.read(StateKey("other", "answered")).json == str(answered).encode()
    assert machine.store.inbox.size() == (0, POISON * fault_runs)
    machine.stop()


def pour(machine: Machine, runs: int) -> None:
    """Hand over all messages, as fast as the machine takes them."""
    for number in range((GOOD + POISON) * runs):
        poisoned = number % (GOOD // POISON + 1) == 0
        submit(machine, happened(str(number), data="poison" if poisoned else "good"))


def submit(machine: Machine, event: Event) -> Delivery:
    """Hand an event over, and again while there is no room for it."""
    while True:
        try:
            return machine.dispatcher.submit(event)
        except Overloaded:
            time.sleep(0.01)
