"""How far a handler may go, and how much the platform takes on, on real threads and a real store."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from botplatform import Context, Event, Rejected, Retry, cloudevents
from botplatform.errors import Overloaded, StateUnavailable
from botplatform.hosts.local.dispatch import CONCURRENCY, THREADS
from botplatform.hosts.local.levels import FRESH_FOR, Tally
from botplatform.router import Handler
from botplatform.settings import declared
from botplatform.store import StateKey, Write
from tests.handlers import TYPE, handler_of, happened
from tests.hosts.local.machine import PATIENCE, Gate, Machine, Start, dead_letters, state, waiting
from tests.mosquitto import eventually


def limited(function: Callable[..., Any], **limits: Any) -> Handler:
    """`function` as a handler with these limits of its own."""
    handler = handler_of(cloudevents.event(TYPE, **limits)(function))
    return handler._replace(limits=handler.subscriptions[0].limits)


def now(machine: Machine, level: str) -> int | str:
    return machine.dispatcher.levels()[level]["now"]


def in_memory(name: str) -> int:
    """How many events whose ids begin so there are in this process."""
    gc.collect()
    return sum(isinstance(found, Event) and found.id.startswith(name) for found in gc.get_objects())


# What a handler declares.


@pytest.mark.parametrize("retries", [0, 1, 7])
def test_an_event_is_tried_again_as_often_as_its_handler_says(start: Start, retries: int) -> None:
    def fail() -> None:
        raise LookupError("no such room")

    machine = start(limited(fail, retries=retries))
    machine.handle(happened())

    eventually(lambda: dead_letters(machine) == [("1", retries + 1, "LookupError: no such room")])


def test_an_event_that_is_rejected_is_not_tried_again_whatever_its_handler_says(start: Start) -> None:
    def reject() -> None:
        raise Rejected("no such room")

    machine = start(limited(reject, retries=7))
    machine.handle(happened())

    assert dead_letters(machine) == [("1", 1, "no such room")]


def test_a_run_is_given_up_at_the_deadline_of_its_handler_and_no_other(start: Start, gate: Gate) -> None:
    def hasty() -> None:
        gate.wait()

    def patient() -> None:
        gate.wait()

    machine = start(limited(hasty, deadline="0.1s", retries=0), limited(patient, deadline="1h"))
    delivery = machine.dispatcher.submit(happened())
    eventually(lambda: dead_letters(machine) == [("1", 1, "it ran for more than 0.1 s")])
    assert not delivery.durable

    gate.open()
    assert delivery.settled.wait(PATIENCE)
    assert sorted(result.status for result in delivery.results) == ["dead", "done"]


def test_a_handler_is_given_as_many_events_at_a_time_as_it_says(start: Start, gate: Gate) -> None:
    def slow() -> None:
        gate.wait()

    machine = start(limited(slow, concurrency=3))
    deliveries = [machine.dispatcher.submit(happened(str(n))) for n in range(40)]
    eventually(lambda: gate.waiting == 3)
    gate.open()

    assert all(delivery.settled.wait(PATIENCE) for delivery in deliveries)
    assert gate.most == 3


def test_a_slow_handler_that_says_nothing_leaves_half_of_the_threads_to_the_others(start: Start, gate: Gate) -> None:
    def slow() -> None:
        gate.wait()

    def quick(ctx: Context) -> None:
        ctx.state.add("quick")

    machine = start(handler_of(slow), handler_of(quick))
    deliveries = [machine.dispatcher.submit(happened(str(n))) for n in range(4 * THREADS)]
    eventually(lambda: state(machine) == {"quick": 4 * THREADS})

    assert gate.most == CONCURRENCY
    gate.open()
    assert all(delivery.settled.wait(PATIENCE) for delivery in deliveries)


def test_a_handler_that_is_loaded_anew_has_the_limits_it_says_now(start: Start) -> None:
    def fail() -> None:
        raise Retry("not yet", after=0.05)

    machine = start(limited(fail, retries=500))
    machine.handle(happened())
    machine.dispatcher.router = type(machine.dispatcher.router)([limited(fail, retries=0)])

    eventually(lambda: dead_letters(machine))


def test_a_retry_that_is_asked_for_is_no_error_in_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    def handle() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise Retry("the shop is closed", after=0.01)

    machine = start(handler_of(handle))
    with caplog.at_level(logging.DEBUG):
        machine.handle(happened())
        eventually(lambda: waiting(machine) == [])

    assert len(tries) == 3
    assert [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info] == []


# Where there is no room.


def test_nothing_is_taken_in_while_as_many_events_are_under_way_as_may_be(start: Start, gate: Gate) -> None:
    def slow(ctx: Context) -> None:
        gate.wait()
        ctx.state.add("done")

    machine = start(handler_of(slow), in_flight=3)
    deliveries = [machine.dispatcher.submit(happened(str(n))) for n in range(3)]
    with pytest.raises(Overloaded, match=r"3 events are under way, as many as BOTPLATFORM_IN_FLIGHT allows"):
        machine.dispatcher.submit(happened("refused"))
    assert machine.dispatcher.counts["refused: the limit of in_flight is reached"] == 1
    assert now(machine, "in_flight") == 3

    gate.open()
    assert all(delivery.settled.wait(PATIENCE) for delivery in deliveries)
    machine.handle(happened("refused"))
    assert machine.dispatcher.counts["events"] == 4
    assert now(machine, "in_flight") == 0


def test_nothing_is_taken_in_while_the_inbox_is_full(start: Start) -> None:
    def handle(event: Event) -> None:
        if event.data == "bad":
            raise Rejected("hopeless")
        if event.data == "later":
            raise Retry("later", after=3600)

    machine = start(handler_of(handle), inbox_limit=2)
    machine.handle(happened("1", data="bad"), happened("2", data="later"))
    with pytest.raises(Overloaded, match="2 events are in the inbox, as many as BOTPLATFORM_INBOX_LIMIT allows"):
        machine.dispatcher.submit(happened("3"))

    (letter,) = machine.store.inbox.dead_letters()
    machine.store.inbox.drop([letter.number])
    eventually(lambda: now(machine, "inbox") == 1)
    machine.handle(happened("3"))
    assert machine.dispatcher.counts["refused: the limit of inbox is reached"] == 1


def test_nothing_is_taken_in_while_too_many_effects_wait_but_what_was_emitted(start: Start, gate: Gate) -> None:
    def handle(event: Event, ctx: Context) -> None:
        if event.data == "text":
            ctx.text("owner", event.id)

    machine = start(handler_of(handle, uses=["text"]), outbox_limit=2)
    outside = machine.performer.effects["text"]
    machine.performer.effects = {"text": outside._replace(perform=lambda *_: gate.wait() or {})}
    machine.handle(*(happened(str(n), data="text") for n in range(2)))
    eventually(lambda: now(machine, "outbox") == 2)
    with pytest.raises(Overloaded, match="2 effects wait, as many as BOTPLATFORM_OUTBOX_LIMIT allows"):
        machine.dispatcher.submit(happened("refused"))
    machine.dispatcher.accept(happened("emitted"))
    eventually(lambda: waiting(machine) == [])

    gate.open()
    eventually(lambda: now(machine, "outbox") == 0)
    machine.handle(happened("refused"))


@pytest.mark.parametrize("full", [{"in_flight": 1}, {"inbox_limit": 1}])
def test_what_was_emitted_waits_for_room_as_everything_does(start: Start, gate: Gate, full: dict[str, int]) -> None:
    machine = start(handler_of(lambda: gate.wait()), **full)
    machine.dispatcher.submit(happened(), durable=True)

    with pytest.raises(Overloaded):
        machine.dispatcher.accept(happened("emitted"))


def test_what_was_taken_in_goes_on_whatever_is_full(start: Start) -> None:
    tries: list[str] = []

    def handle(event: Event, ctx: Context) -> None:
        tries.append(event.id)
        if len(tries) < 8:
            raise Retry("not yet")
        ctx.state.append("done", event.id)

    machine = start(limited(handle, retries=20), in_flight=2, inbox_limit=2)
    machine.handle(happened("1"), happened("2"))

    eventually(lambda: waiting(machine) == [])
    assert sorted(state(machine)["done"]) == ["1", "2"]


def test_every_level_says_its_setting(start: Start) -> None:
    levels = start().dispatcher.levels()
    defaults = {setting.name: setting.default for setting in declared()}

    assert list(levels) == ["in_flight", "inbox", "outbox", "log"]
    assert all(level["limit"] == defaults[str(level["setting"])] for level in levels.values())


# Memory.


def test_what_waits_in_the_inbox_is_not_under_way_and_its_event_not_in_memory(start: Start) -> None:
    def later() -> None:
        raise Retry("later", after=3600)

    machine = start(handler_of(later), in_flight=1)
    for number in range(20):
        machine.handle(happened(f"in memory? {number}", subject="one key" if number % 2 else None))

    assert len(waiting(machine)) == 20
    assert now(machine, "in_flight") == 0
    eventually(lambda: in_memory("in memory? ") <= 1)  # a thread may still know the last one


def test_an_inbox_that_is_larger_than_what_may_be_under_way_is_handled_after_a_start_in_its_order(start: Start) -> None:
    def later() -> None:
        raise Retry("later", after=0)

    def handle(event: Event, ctx: Context) -> None:
        ctx.state.append(event.subject or "", event.data)

    before = start(limited(later, retries=500))
    before.dispatcher.backoff = lambda attempts: 3600.0 * attempts
    for number in range(200):
        before.dispatcher.submit(happened(str(number), subject=f"key {number % 7}", data=number), durable=True)
    before.stop(0.0)

    after = start(handler_of(handle)._replace(name="demo.later"), in_flight=3)
    after.resume()
    eventually(lambda: waiting(after) == [])
    assert state(after) == {f"key {key}": list(range(key, 200, 7)) for key in range(7)}


def test_work_that_somebody_took_out_of_the_inbox_is_over(start: Start) -> None:
    runs: list[int] = []

    def handle() -> None:
        runs.append(1)
        raise Retry("later", after=0.2)

    machine = start(handler_of(handle))
    machine.handle(happened())
    machine.store._writer.apply(lambda connection: connection.execute("DELETE FROM inbox").rowcount)

    eventually(lambda: len(machine.dispatcher.underway) == 0)
    assert len(runs) == 1


# Senders that wait for nothing but to be rid of their event.


def test_a_sender_that_only_waits_for_its_event_to_be_durable_does_not_wait_for_a_slow_handler(
    start: Start, gate: Gate
) -> None:
    settled: list[str] = []

    def slow(event: Event, ctx: Context) -> None:
        gate.wait()
        ctx.state.append("done", event.id)

    machine = start(handler_of(slow))
    machine.dispatcher.patience = 0.05
    for id in ("1", "2", "3"):
        machine.dispatcher.submit(happened(id, subject="one key"), lambda id=id: settled.append(id))
    eventually(lambda: sorted(settled) == ["1", "2", "3"])
    assert waiting(machine) == ["1", "2", "3"]
    assert now(machine, "in_flight") == 0

    gate.open()
    eventually(lambda: waiting(machine) == [])
    assert state(machine) == {"done": ["1", "2", "3"]}


def test_further_writes_are_made_when_the_event_becomes_durable_and_not_once_more_at_the_commit(
    start: Start, gate: Gate
) -> None:
    def slow(ctx: Context) -> None:
        gate.wait()
        ctx.state.add("done")

    machine, packet = start(handler_of(slow)), StateKey("@packets", "7")
    machine.dispatcher.patience = 0.05
    machine.dispatcher.submit(happened(), lambda: None, also={packet: Write("put", b"1")})
    eventually(lambda: machine.store.read(packet).json == b"1")
    machine.store.write({packet: Write("put", b"2")})  # by a later message, which has the packet id now

    gate.open()
    eventually(lambda: state(machine) == {"done": 1})
    assert machine.store.read(packet).json == b"2"


def test_an_event_that_comes_again_while_it_waits_is_durable_at_once(start: Start) -> None:
    def later() -> None:
        raise Retry("later", after=3600)

    machine = start(handler_of(later))
    machine.handle(happened())
    (again,) = machine.handle(happened())

    assert (again.durable, again.unfinished, [result.status for result in again.results]) == (True, True, ["waiting"])


# Leaving.


def test_stopping_leaves_durable_what_could_not_be_finished(start: Start, gate: Gate) -> None:
    def slow(event: Event, ctx: Context) -> None:
        gate.wait()
        ctx.state.append("done", event.id)

    before = start(limited(slow, concurrency=1))
    for number in range(5):
        before.dispatcher.submit(happened(str(number)), durable=True)
    eventually(lambda: gate.waiting == 1)
    threading.Timer(0.05, gate.open).start()
    before.stop()

    after = start(limited(slow, concurrency=1))
    assert len(waiting(after)) == 4
    after.resume()
    eventually(lambda: waiting(after) == [])
    assert sorted(state(after)["done"]) == ["0", "1", "2", "3", "4"]


# Counting what is costly to count.


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_tally_counts_once_a_second_and_adds_what_came_meanwhile() -> None:
    counts, clock = iter([7, 3]), Time()
    tally = Tally(lambda: next(counts), clock)
    assert tally.now() == 7

    tally.add(2)
    clock.now = FRESH_FOR
    assert tally.now() == 9
    clock.now += 0.1
    assert tally.now() == 3


def test_a_tally_that_cannot_be_counted_stays_as_it_was() -> None:
    def fail() -> int:
        raise StateUnavailable("the disk is gone")

    tally = Tally(fail, time.monotonic)
    tally.add(5)
    assert tally.now() == 5
