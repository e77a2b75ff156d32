"""Slack and SNS that fail: each message arrives, in its order, and those to others are not held up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from botplatform import Context, Event
from botplatform.effects import slack, text
from botplatform.hosts.local.performer import ATTEMPTS
from tests.faults.outside import FINE, Answer, Outside
from tests.faults.report import Fault, Report
from tests.handlers import handler_of, happened
from tests.hosts.local.machine import Machine
from tests.mosquitto import eventually

TIMEOUT = 1


class Door(NamedTuple):
    """One way out: two destinations, how to ask for a message, and whether the outside knows a message it has seen."""

    failing: str
    fine: str
    tell: Callable[[Context, str, str], None]
    keyed: bool


def _post(ctx: Context, channel: str, message: str) -> None:
    ctx.slack(channel, message)


def _respond(ctx: Context, url: str, message: str) -> None:
    ctx.effect("slack", {"response_url": url, "text": message}, order=url)


def _text(ctx: Context, number: str, message: str) -> None:
    ctx.text(number, message)


DOORS = {
    "Slack": Door("C1", "C2", _post, keyed=True),
    "a response_url": Door("/commands/1", "/commands/2", _respond, keyed=False),
    "SNS": Door("+15550101", "+15550102", _text, keyed=False),
}
RATE_LIMITED = Answer(status=429, headers={"Retry-After": "1"}, body=b'{"ok": false, "error": "ratelimited"}')
FAULTS = {
    "refuses the connection": Answer(status=0),
    "answers 429": RATE_LIMITED,
    "answers 500": Answer(status=500, body=b""),
    "takes it and answers 500": Answer(takes=True, status=500, body=b"<html>"),
    "takes it and hangs up": Answer(takes=True, status=0),
    "takes it and answers half-way": Answer(takes=True, cut=True),
    "takes it and hangs": Answer(takes=True, hangs=True),
    "answers garbage": Answer(body=b"<html>Please log in to this network</html>"),
}
"""Where it takes the message, the message may come twice: but for Slack, which knows it by its client_msg_id."""


@pytest.fixture
def outside() -> Iterator[Outside]:
    outside = Outside()
    yield outside
    outside.stop()


class Start(Protocol):
    """Starts a machine with a handler, whose effects go outside for real; Slack has so many seconds to answer."""

    def __call__(self, handler: Callable[..., Any], timeout: int = TIMEOUT) -> Machine: ...


@pytest.fixture
def start(tmp_path: Path, outside: Outside) -> Iterator[Start]:
    machines: list[Machine] = []

    def start(handler: Callable[..., Any], timeout: int = TIMEOUT) -> Machine:
        machine = Machine(tmp_path, handler_of(handler, uses=["text", "slack"]))
        effects = (slack.effect(outside.settings, timeout), text.effect(outside.settings))
        machine.performer.effects = {effect.name: effect for effect in effects}
        machines.append(machine)
        return machine

    yield start
    outside.stop()
    for machine in machines:
        machine.stop()


def telling(door: Door, outside: Outside) -> Callable[..., None]:
    """A handler that sends the number in an event to both destinations."""

    def tell(event: Event, ctx: Context) -> None:
        for destination in (door.failing, door.fine):
            place = outside.url + destination if destination.startswith("/") else destination
            door.tell(ctx, place, str(event.data))

    return tell


def combinations() -> Iterator[Any]:
    """Each fault at each door. A response_url that answers with status 200 is believed, whatever else it says."""
    for name in DOORS:
        for fault in FAULTS:
            if (name, fault) not in {("a response_url", "answers garbage"), ("SNS", "takes it and hangs")}:
                yield pytest.param(name, fault, id=f"{name} {fault}")


@pytest.mark.parametrize(("name", "fault"), [*combinations()])
def test_whatever_it_answers_each_message_arrives_in_order_and_others_are_not_held_up(
    name: str, fault: str, outside: Outside, start: Start, fault_runs: int, fault_report: Report
) -> None:
    door, runs = DOORS[name], max(2, fault_runs // 10)
    machine = start(telling(door, outside))
    outside.answers(door.failing, *[FAULTS[fault], FINE] * runs)
    numbers = [str(number) for number in range(2 * runs)]
    machine.handle(*(happened(number, data=number, subject="s") for number in numbers))
    eventually(lambda: [message.text for message in outside.taken(door.fine)] == numbers)
    eventually(lambda: not machine.store.pending(), seconds=60)
    taken = outside.taken(door.failing)
    first = list(dict.fromkeys(message.text for message in taken))
    shown = {message.key for message in taken} if door.keyed else taken
    lost, doubled = len(set(numbers) - {*first}), len(shown) - len(first)
    found = Fault(f"{name} {fault}", runs, lost, duplicated_effects=doubled)
    fault_report.note(found)
    assert first == numbers
    assert doubled == (runs if FAULTS[fault].takes and not door.keyed else 0)


def test_what_slack_says_of_when_to_come_back_is_obeyed(outside: Outside, start: Start) -> None:
    machine = start(telling(DOORS["Slack"], outside))
    outside.answers("C1", *[RATE_LIMITED] * 2)
    machine.handle(happened())
    eventually(lambda: outside.taken("C1"))
    first, second, third = (message.at for message in outside.messages if message.destination == "C1")
    assert min(second - first, third - second) >= 1


@pytest.mark.parametrize("name", DOORS)
def test_what_is_never_taken_is_given_up_at_last_and_the_log_says_why(
    name: str, outside: Outside, start: Start
) -> None:
    door = DOORS[name]
    machine = start(telling(door, outside))
    outside.answers(door.failing, *[Answer(status=503, body=b"sorry")] * ATTEMPTS)
    machine.handle(happened("1"), happened("2"))
    eventually(lambda: [message.text for message in outside.taken(door.failing)] == ["None"])
    eventually(lambda: not machine.store.pending())
    effects = [entry["handlers"][0]["effects"] for entry in machine.store.log.events()]
    given_up, performed = next(pair for pair in effects if pair[0]["status"] != "performed")  # whichever came first
    assert (given_up["status"], given_up["attempts"], performed["status"]) == ("given up", ATTEMPTS, "performed")
    assert "503" in given_up["result"]["reason"] or "sorry" in given_up["result"]["reason"]


def test_a_service_that_hangs_on_many_holds_up_no_other_service(outside: Outside, start: Start) -> None:
    channels = [f"C{number}" for number in range(20)]

    def tell(ctx: Context) -> None:
        for channel in channels:
            ctx.slack(channel, "slow")
        ctx.text("+15550101", "fast")

    machine = start(tell, timeout=60)
    for channel in channels:
        outside.answers(channel, Answer(hangs=True))
    machine.handle(happened())
    eventually(lambda: outside.taken("+15550101"))
    outside.relent()
    eventually(lambda: all(outside.taken(channel) for channel in channels))


def test_services_that_were_away_get_all_in_order_when_they_are_back(outside: Outside, start: Start) -> None:
    machine = start(telling(DOORS["Slack"], outside))
    machine.performer.backoff = lambda _: 0.2
    outside.leave()
    machine.handle(*(happened(str(number), data=number, subject="s") for number in range(3)))
    eventually(lambda: any(effect.attempts for effect in machine.store.pending()))
    outside.come_back()
    eventually(lambda: not machine.store.pending())
    assert [message.text for message in outside.taken("C1")] == ["0", "1", "2"]
