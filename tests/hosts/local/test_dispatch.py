"""What happens to an event between its arrival and its end, on real threads and a real store."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from botplatform import Context, Event, Rejected, Retry, slack
from botplatform.errors import Overloaded
from botplatform.hosts.intake import Arrival
from botplatform.hosts.local.dispatch import RETRIES
from botplatform.store import StateKey, Work, Write
from botplatform.stores.sqlite.inbox import Waiting
from tests.disks import SmallDisk, mounted
from tests.handlers import SOURCE, handler_of, happened
from tests.hosts.local.machine import PATIENCE, Gate, Machine, Start, dead_letters, state, waiting
from tests.mosquitto import eventually

ROOT = Path(__file__).resolve().parents[3]


def count(ctx: Context) -> str:
    ctx.state.add("count")
    ctx.text("owner", "counted")
    return "counted"


counting = handler_of(count, uses=["text"])


def command(id: str = "1", user: str = "U1") -> Event:
    """A slash command: somebody waits for the reply, but not for long."""
    data = {"command": "/temp", "text": "attic", "response_url": f"https://hooks.slack.com/{id}"}
    extensions: dict[str, str | int | bool] = {"partitionkey": user}
    return happened(id, type="com.slack.command", subject="/temp", data=data, extensions=extensions)


# Done.


def test_an_event_is_handled_and_its_effects_performed(start: Start) -> None:
    machine = start(counting)
    (delivery,) = machine.handle(happened())

    assert [result.status for result in delivery.results] == ["done"]
    assert delivery.reply == "counted"
    eventually(lambda: machine.outside == [("text", {"to": "owner", "body": "counted"})])
    eventually(lambda: machine.store.pending() == [])
    assert (state(machine), waiting(machine)) == ({"count": 1}, [])


def test_it_is_settled_only_when_it_is_durable(start: Start) -> None:
    machine = start(counting)
    durable: list[bool] = []
    work = Work(SOURCE, "1", "demo.count")
    machine.dispatcher.submit(happened(), lambda: durable.append(machine.store.outcome(work) is not None))

    eventually(lambda: durable)
    assert durable == [True]


def test_it_is_settled_once_when_all_its_handlers_are(start: Start, gate: Gate) -> None:
    machine = start(counting, handler_of(lambda: gate.wait()))
    settled: list[int] = []
    delivery = machine.dispatcher.submit(happened(), lambda: settled.append(1))
    eventually(lambda: len(delivery.results) == 1)
    assert not settled

    gate.open()
    assert delivery.settled.wait(PATIENCE)
    eventually(lambda: settled == [1])


def test_an_event_nobody_listens_to_is_settled_counted_and_logged(start: Start) -> None:
    machine = start(counting)
    machine.handle(happened(type="com.example.unheard"))

    assert machine.dispatcher.counts["unmatched"] == 1
    eventually(lambda: [entry["verdict"] for entry in machine.store.log.events()] == ["unmatched"])


def test_an_event_that_comes_again_is_answered_as_before_and_counted(start: Start) -> None:
    machine = start(counting)
    (first,) = machine.handle(happened())
    (second,) = machine.handle(happened())

    assert first.reply == second.reply == "counted"
    assert state(machine) == {"count": 1}
    assert machine.dispatcher.counts["delivered again"] == 1


def test_a_delivery_to_several_handlers_is_counted_once(start: Start) -> None:
    machine = start(counting, handler_of(count, uses=["text"], plugin="other"))
    machine.handle(happened())
    machine.handle(happened())

    assert machine.dispatcher.counts["delivered again"] == 1
    eventually(lambda: [entry["deliveries"] for entry in machine.store.log.events()] == [2])


def test_an_event_that_arrives_many_times_at_once_is_handled_once_and_all_are_answered(
    start: Start, gate: Gate
) -> None:
    runs: list[int] = []

    def slow(ctx: Context) -> str:
        runs.append(1)
        gate.wait()
        return count(ctx)

    machine = start(handler_of(slow, uses=["text"]))
    deliveries = [machine.dispatcher.submit(happened()) for _ in range(10)]
    gate.open()

    assert all(delivery.settled.wait(PATIENCE) for delivery in deliveries)
    assert [delivery.reply for delivery in deliveries] == ["counted"] * 10
    assert (len(runs), state(machine)) == (1, {"count": 1})


def test_deliveries_of_the_same_events_from_many_threads_all_settle(start: Start) -> None:
    machine = start(counting)

    def deliver(_: int) -> list[Any]:
        return [delivery.reply for delivery in machine.handle(*(happened(str(n)) for n in range(50)))]

    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(deliver, range(8)))

    assert replies == [["counted"] * 50] * 8
    assert state(machine) == {"count": 50}
    eventually(lambda: len(machine.outside) == 50)


# Order.


def test_the_order_of_a_key_is_kept_under_load_and_through_failures(start: Start) -> None:
    tried: dict[str, list[int]] = defaultdict(list)

    def keep_order(event: Event, ctx: Context) -> None:
        tries = tried[event.id]
        tries.append(1)
        if event.data % 10 == 5 and len(tries) < 3:
            raise Retry("not yet")
        ctx.state.append(event.subject or "", event.data)

    machine = start(handler_of(keep_order))

    def deliver(key: int) -> None:
        machine.handle(*(happened(f"{key}.{n}", subject=f"key {key}", data=n) for n in range(40)))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(deliver, range(16)))

    everything = {f"key {key}": list(range(40)) for key in range(16)}
    eventually(lambda: waiting(machine) == [])
    assert state(machine) == everything


def test_an_event_that_is_tried_again_holds_up_its_own_key_only(start: Start) -> None:
    def handle(event: Event, ctx: Context) -> None:
        if event.id == "first":
            raise Retry("not yet", after=3600)
        ctx.state.append("done", event.id)

    machine = start(handler_of(handle))
    machine.handle(happened("first", subject="a"), happened("second", subject="a"), happened("other", subject="b"))

    assert state(machine) == {"done": ["other"]}
    assert waiting(machine) == ["first", "second"]


def test_a_key_goes_on_after_an_event_that_was_given_up(start: Start) -> None:
    def handle(event: Event, ctx: Context) -> None:
        if event.id == "1":
            raise Rejected("hopeless")
        ctx.state.append("done", event.id)

    machine = start(handler_of(handle))
    machine.handle(happened("1", subject="a"), happened("2", subject="a"))

    assert state(machine) == {"done": ["2"]}


# Failures.


def test_a_failing_event_is_tried_again_and_then_a_dead_letter(start: Start) -> None:
    runs: list[int] = []

    def fail() -> None:
        runs.append(1)
        raise LookupError("no such room")

    machine = start(handler_of(fail), counting)
    (delivery,) = machine.handle(happened())
    eventually(lambda: dead_letters(machine))

    assert sorted(result.status for result in delivery.results) == ["done", "waiting"]
    assert dead_letters(machine) == [("1", RETRIES + 1, "LookupError: no such room")]
    assert len(runs) == RETRIES + 1
    assert machine.dispatcher.counts["dead letters"] == 1
    assert machine.dispatcher.counts["tried again"] == RETRIES


def test_each_attempt_waits_as_long_as_the_backoff_says(start: Start) -> None:
    asked: list[int] = []

    def backoff(attempts: int) -> float:
        asked.append(attempts)
        return 0.001

    machine = start(handler_of(lambda: 1 / 0))
    machine.dispatcher.backoff = backoff
    machine.handle(happened())
    eventually(lambda: dead_letters(machine))

    assert asked == list(range(1, RETRIES + 2))


def test_a_retry_that_says_when_is_kept_until_then(start: Start) -> None:
    def handle() -> None:
        raise Retry("the shop is closed", after=3600)

    machine = start(handler_of(handle), clock=lambda: 1000.0)
    machine.handle(happened())

    (item,) = machine.store.inbox.waiting()
    assert (item.due, item.attempts, item.reason) == (4600.0, 1, "the shop is closed")


def test_an_event_that_succeeds_at_last_is_done_and_says_how_often_it_was_tried(start: Start) -> None:
    runs: list[int] = []

    def handle(ctx: Context) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise Retry("not yet")
        ctx.state.add("count")

    machine = start(handler_of(handle))
    machine.handle(happened())
    eventually(lambda: state(machine) == {"count": 1})

    assert machine.store.log.events()[0]["handlers"][0]["attempts"] == 3
    assert (waiting(machine), dead_letters(machine)) == ([], [])


def test_a_rejected_event_is_a_dead_letter_at_once(start: Start) -> None:
    def handle() -> None:
        raise Rejected("no such room")

    machine = start(handler_of(handle))
    machine.handle(happened())

    assert dead_letters(machine) == [("1", 1, "no such room")]


def test_somebody_who_waits_is_told_that_it_failed_and_nothing_of_why(start: Start) -> None:
    @slack.command("/temp {room}")
    def fail() -> None:
        raise LookupError("hunter2")

    machine = start(handler_of(fail))
    (delivery,) = machine.handle(command())

    assert delivery.reply == "Sorry, that went wrong. It is in the log."
    assert dead_letters(machine) == [("1", 1, "LookupError: hunter2")]


def test_a_handler_that_is_gone_gives_its_event_up(start: Start) -> None:
    def fail() -> None:
        raise Retry("not yet", after=0.05)

    machine = start(handler_of(fail))
    machine.handle(happened())
    machine.dispatcher.router = type(machine.dispatcher.router)()

    eventually(lambda: dead_letters(machine))
    assert dead_letters(machine)[0][2] == "no handler demo.fail listens to this any more"


# Senders that do not wait so long.


def test_a_sender_that_was_answered_gets_the_reply_as_an_effect(start: Start, gate: Gate) -> None:
    @slack.command("/temp {room}")
    def slow() -> str:
        gate.wait()
        return "31 °C"

    machine = start(handler_of(slow))
    delivery = machine.dispatcher.submit(command())
    eventually(lambda: gate.waiting == 1)
    machine.dispatcher.answer_now(delivery)
    assert waiting(machine) == ["1"]
    assert delivery.unfinished

    gate.open()
    eventually(lambda: machine.outside)
    assert [(name, arguments["response_url"], arguments["text"]) for name, arguments in machine.outside] == [
        ("slack", "https://hooks.slack.com/1", "31 °C")
    ]
    assert waiting(machine) == []


def test_a_sender_that_would_not_wait_for_what_is_done_gets_its_reply(start: Start, gate: Gate) -> None:
    @slack.command("/temp {room}")
    def quick() -> str:
        return "31 °C"

    @slack.command("/temp {room}")
    def slow() -> None:
        gate.wait()

    machine = start(handler_of(quick), handler_of(slow))
    delivery = machine.dispatcher.submit(command())
    eventually(lambda: delivery.results)
    machine.dispatcher.answer_now(delivery)

    assert delivery.reply == "31 °C"
    gate.open()
    assert delivery.settled.wait(PATIENCE)
    assert machine.outside == []


def test_a_reply_that_waits_behind_an_earlier_command_follows_as_an_effect(start: Start, gate: Gate) -> None:
    tries: list[int] = []

    @slack.command("/temp {room}")
    def handle(event: Event) -> str:
        if event.id == "1" and not tries:
            tries.append(1)
            gate.wait()
            raise Retry("not yet", after=0.05)
        return f"answer {event.id}"

    machine = start(handler_of(handle))
    first = machine.dispatcher.submit(command("1"))
    eventually(lambda: gate.waiting == 1)
    machine.dispatcher.answer_now(first)
    second = machine.dispatcher.submit(command("2"))
    gate.open()

    assert second.settled.wait(PATIENCE)
    assert second.unfinished
    eventually(lambda: len(machine.outside) == 2)
    assert [arguments["text"] for _, arguments in machine.outside] == ["answer 1", "answer 2"]


# Restarts.


def test_what_waited_goes_on_after_a_restart_in_its_order(start: Start) -> None:
    def handle(event: Event, ctx: Context) -> None:
        if ctx.now.timestamp() < 5000:
            raise Retry("too early", after=1000)
        ctx.state.append("done", event.id)

    before = start(handler_of(handle), clock=lambda: 4000.0)
    before.handle(*(happened(str(n), subject="a") for n in range(5)))
    before.stop()

    after = start(handler_of(handle), clock=lambda: 6000.0)
    assert waiting(after) == ["0", "1", "2", "3", "4"]
    after.resume()
    eventually(lambda: not waiting(after))
    assert state(after) == {"done": ["0", "1", "2", "3", "4"]}


def test_what_waits_after_a_restart_keeps_its_time_and_its_attempts(start: Start) -> None:
    def handle() -> None:
        raise Retry("too early", after=1000)

    before = start(handler_of(handle), clock=lambda: 4000.0)
    before.handle(happened())
    before.stop()

    early = start(handler_of(handle), clock=lambda: 4500.0)
    early.resume()
    assert not early.dispatcher.busy()
    early.stop()

    late = start(handler_of(handle), clock=lambda: 5000.0)
    late.resume()
    eventually(lambda: [(item.due, item.attempts) for item in late.store.inbox.waiting()] == [(6000.0, 2)])


def test_a_clock_set_back_over_a_restart_makes_nobody_wait_longer(start: Start) -> None:
    tried = threading.Event()

    def handle() -> None:
        tried.set()

    before = start(handler_of(handle), clock=lambda: 9000.0)
    before.dispatcher.keep([Waiting(happened(), "demo.handle", 1, due=9000.05)])
    before.stop()

    after = start(handler_of(handle), clock=lambda: 4000.0)
    after.resume()
    assert tried.wait(PATIENCE)


def test_an_event_that_was_handed_over_durably_survives_a_stop_before_it_was_handled(start: Start, gate: Gate) -> None:
    before = start(handler_of(lambda: gate.wait()), counting)
    before.dispatcher.submit(happened(), durable=True)
    eventually(lambda: gate.waiting == 1)
    before.stop(0.01)

    gate.open()
    after = start(handler_of(lambda: None), counting)
    after.resume()
    eventually(lambda: not waiting(after))
    assert state(after) == {"count": 1}


# Full disks.


def test_on_a_full_disk_nothing_is_acknowledged_and_all_is_handled_when_there_is_room(tmp_path: Path) -> None:
    large = "x" * 5000

    def handle(event: Event, ctx: Context) -> None:
        ctx.state.append("done", event.id)

    with mounted(tmp_path / "disk", "size=1m") as folder:
        disk, machine = SmallDisk(folder), Machine(folder, handler_of(handle))
        machine.handle(happened("before"))
        disk.fill()
        deliveries = [machine.dispatcher.submit(happened(str(n), subject="a", data=large)) for n in range(5)]
        time.sleep(0.2)
        assert not any(delivery.settled.is_set() for delivery in deliveries)
        assert state(machine) == {"done": ["before"]}

        disk.make_room()
        assert all(delivery.settled.wait(PATIENCE) for delivery in deliveries)
        eventually(lambda: waiting(machine) == [])
        assert state(machine) == {"done": ["before", "0", "1", "2", "3", "4"]}
        assert dead_letters(machine) == []
        machine.stop()


# Many at once.


def test_events_handed_over_together_are_handled_as_if_they_came_one_by_one(start: Start) -> None:
    def handle(event: Event, ctx: Context) -> None:
        if event.data == "bad":
            raise Rejected("hopeless")
        ctx.state.append(f"of {event.subject}", event.id)

    machine = start(handler_of(handle), counting)
    events = [happened(str(n), subject=str(n % 3), data="bad" if n % 10 == 7 else "") for n in range(600)]
    settled: list[int] = []
    for first in range(0, 600, 50):
        taken = machine.dispatcher.submit_all(
            [Arrival(event, lambda: settled.append(1)) for event in events[first : first + 50]]
        )
        assert taken == 50

    eventually(lambda: len(settled) == 600)
    good = {
        f"of {key}": [event.id for event in events if event.subject == str(key) and not event.data] for key in range(3)
    }
    assert state(machine) == {"count": 600, **good}
    assert len(dead_letters(machine)) == 60


def test_of_events_handed_over_together_only_as_many_are_taken_as_there_is_room_for(start: Start, gate: Gate) -> None:
    def wait() -> None:
        gate.wait()

    machine = start(handler_of(wait), in_flight=5)
    arrivals = [Arrival(happened(str(n))) for n in range(8)]
    assert machine.dispatcher.submit_all(arrivals[:3]) == 3
    assert machine.dispatcher.submit_all(arrivals[3:]) == 2
    with pytest.raises(Overloaded):
        machine.dispatcher.submit_all(arrivals[5:])

    gate.open()
    eventually(lambda: not machine.dispatcher.busy())
    assert machine.dispatcher.submit_all(arrivals[5:]) == 3


def test_events_that_come_again_together_run_nothing_and_hold_up_no_new_one(start: Start) -> None:
    ran: list[str] = []

    def handle(event: Event, ctx: Context) -> str:
        ran.append(event.id)
        ctx.state["last"] = f"{event.id} after {ctx.state.get('last', '')[:3]}"
        return event.id

    machine = start(handler_of(handle))
    events = [happened(f"{n:03}", subject="a") for n in range(40)]
    machine.handle(*events[:20])
    ran.clear()
    again = machine.handle(*events)

    assert {*ran} == {event.id for event in events[20:]}
    assert [delivery.results[0].again for delivery in again] == [True] * 20 + [False] * 20
    assert [delivery.reply for delivery in again] == [event.id for event in events]
    assert machine.dispatcher.counts["delivered again"] == 20


def test_whoever_hands_an_event_over_does_not_wait_for_the_disk_though_its_key_waits(start: Start) -> None:
    def handle() -> None:
        raise Retry("not yet", after=3600)

    machine = start(handler_of(handle))
    machine.handle(happened("first", subject="a"))
    kept, keep = threading.Event(), machine.dispatcher.keep
    machine.dispatcher.keep = lambda *_, **__: kept.wait(PATIENCE) and keep(*_, **__)  # type: ignore[method-assign]
    behind = machine.dispatcher.submit(happened("behind", subject="a"))
    assert not behind.durable

    kept.set()
    assert behind.settled.wait(PATIENCE)
    assert waiting(machine) == ["first", "behind"]


# What a host remembers of a delivery.


def test_further_writes_are_stored_with_the_commit_or_with_the_inbox(start: Start) -> None:
    def handle(event: Event) -> None:
        if event.id == "later":
            raise Retry("not yet", after=3600)

    machine = start(handler_of(handle))
    keys = {name: StateKey("@packets", name) for name in ("now", "later")}
    for name, key in keys.items():
        delivery = machine.dispatcher.submit(happened(name), also={key: Write("put", b"7")})
        assert delivery.settled.wait(PATIENCE)

    assert [machine.store.read(key).json for key in keys.values()] == [b"7", b"7"]
