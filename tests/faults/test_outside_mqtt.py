"""Brokers and networks that fail: what they delivered counts once and in order, and other sources never notice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from botplatform.hosts.local.platform import Platform
from tests.faults.impatient import KEEPALIVE, impatient
from tests.faults.proxy import HOST, Proxy
from tests.faults.report import Fault, Report
from tests.faults.troubles import TROUBLES
from tests.handlers import happened
from tests.hosts.local.running import request, state
from tests.hosts.mqtt.clients import subscribed
from tests.mosquitto import Mosquitto, eventually, publish

TOPICS = 4
BATCH = 120
PATIENCE = 60.0
COUNTER = '''"""Counts numbers: each, and those of each sender in the order they came in."""

from botplatform import Context, Event, Retry, cloudevents, mqtt


@mqtt.topic("numbers/{sender}")
def count(event: Event, ctx: Context) -> None:
    ctx.state.add("count")
    ctx.state.add(f"number {event.data}")
    ctx.state.append(f"from {ctx.params['sender']}", event.data)


@mqtt.topic("numbered/{sender}", id_field="number")
def count_by_id(event: Event, ctx: Context) -> None:
    ctx.state.add("count")
    ctx.state.add(f"number {event.data['number']}")


@mqtt.topic("trouble/{sender}")
def fail() -> None:
    raise Retry("not now", after=3600)


@cloudevents.event("com.example.happened")
def happen(ctx: Context) -> None:
    ctx.state.add("happened")
'''


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def proxy(mosquitto: Mosquitto) -> Iterator[Proxy]:
    proxy = Proxy(mosquitto.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def platform(tmp_path: Path, proxy: Proxy) -> Iterator[Platform]:
    """A platform that speaks to the broker through the proxy."""
    with impatient(tmp_path, {"counter": COUNTER}, MQTT_URL=f"mqtt://{HOST}:{proxy.port}") as platform:
        listens(platform)
        yield platform


class Numbers:
    """Numbers from 0 on, each sent by the sender whose turn it is, and what the platform made of them."""

    def __init__(self, platform: Platform, mosquitto: Mosquitto) -> None:
        self._platform = platform
        self._port = mosquitto.port
        self._others = count()
        self.sent = 0

    @property
    def arrived(self) -> int:
        """How many messages, and events of the other source, arrived, some of them more than once."""
        return self._platform.dispatcher.counts["events"]

    def next(self) -> range:
        """The numbers of the next batch, which now have to be counted."""
        self.sent += BATCH
        return range(self.sent - BATCH, self.sent)

    def send(self, pause: float = 0.02) -> None:
        """Send a batch, straight to the broker: each sender's share at once, with pauses up to this between them."""
        batch = self.next()
        for sender in range(TOPICS):
            publish(self._port, f"numbers/{sender}", *(str(n) for n in batch if n % TOPICS == sender))
            time.sleep(random.uniform(0, pause))

    def counted(self) -> bool:
        """Whether as many were counted as were sent."""
        return int(self._state().get("count", 0)) >= self.sent

    def others_answer(self) -> None:
        """Check that another source is served meanwhile."""
        number = next(self._others)
        headers = {"content-type": "application/cloudevents+json"}
        answer = request(f"{self._platform.url}/events", happened(f"other {number}").to_json(), headers)
        assert answer.status == 202
        eventually(lambda: self._state().get("happened", 0) == number + 1, seconds=5)

    def lost_and_doubled(self) -> tuple[int, int]:
        """How many were not counted, and how many times too many."""
        state = self._state()
        times = [state.get(f"number {n}", 0) for n in range(self.sent)]
        return times.count(0), sum(max(0, n - 1) for n in times)

    def are_in_order(self) -> bool:
        """Whether those of each sender came in their order."""
        state = self._state()
        return all(state[f"from {sender}"] == [*range(sender, self.sent, TOPICS)] for sender in range(TOPICS))

    def _state(self) -> dict[str, Any]:
        return state(self._platform, "counter")


@pytest.fixture
def numbers(platform: Platform, mosquitto: Mosquitto) -> Numbers:
    return Numbers(platform, mosquitto)


def listens(platform: Platform) -> None:
    """Wait until the broker has our subscriptions."""
    assert platform.devices is not None
    subscribed(platform.devices.client)


def recovered(numbers: Numbers) -> float:
    """Wait until all that was sent is counted; returns how many seconds that took."""
    began = time.monotonic()
    eventually(numbers.counted, seconds=PATIENCE)
    return time.monotonic() - began


@pytest.fixture
def rounds(fault_runs: int) -> int:
    """How often each fault strikes: there are many of them."""
    return max(2, fault_runs // 10)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TROUBLES)
def test_whatever_the_network_does_each_message_counts_once_and_in_order(
    name: str, proxy: Proxy, numbers: Numbers, rounds: int, fault_report: Report
) -> None:
    trouble, total = TROUBLES[name], Fault(f"MQTT: {name}", 0)
    for _ in range(rounds):
        with ThreadPoolExecutor() as senders:
            sending = senders.submit(numbers.send)
            time.sleep(random.uniform(0, 0.05))
            trouble.begin(proxy)
            numbers.others_answer()
            time.sleep(trouble.seconds)
            sending.result()
        trouble.end(proxy)
        proxy.heal()
        total += Fault(total.point, 1, recovery=[recovered(numbers)])
    total += Fault(total.point, 0, *numbers.lost_and_doubled())
    fault_report.note(total)
    assert (total.lost, total.duplicated_state) == (0, 0)
    assert numbers.are_in_order()
    assert not trouble.breaks or proxy.connections > rounds, "the fault did not strike"
    assert not trouble.repeats or numbers.arrived > numbers.sent + rounds, "the fault did not strike"


@pytest.mark.timeout(600)
def test_a_broker_that_is_restarted_with_its_memory_costs_nothing(
    mosquitto: Mosquitto, numbers: Numbers, rounds: int, fault_report: Report
) -> None:
    total = Fault("MQTT: broker restarted with its memory", 0)
    for _ in range(rounds):
        numbers.send()
        mosquitto.stop()
        numbers.others_answer()
        mosquitto.start()
        total += Fault(total.point, 1, recovery=[recovered(numbers)])
    total += Fault(total.point, 0, *numbers.lost_and_doubled())
    fault_report.note(total)
    assert (total.lost, total.duplicated_state) == (0, 0)
    assert numbers.are_in_order()


@pytest.mark.timeout(600)
def test_a_device_that_numbers_its_messages_may_send_them_again_to_a_broker_that_was_killed(
    mosquitto: Mosquitto, platform: Platform, numbers: Numbers, rounds: int, fault_report: Report
) -> None:
    total = Fault("MQTT: broker killed, without a memory", 0)
    for _ in range(rounds):
        batch = numbers.next()
        send_numbered(mosquitto, batch)
        mosquitto.kill()
        numbers.others_answer()
        mosquitto.start()
        listens(platform)
        send_numbered(mosquitto, batch)
        total += Fault(total.point, 1, recovery=[recovered(numbers)])
    total += Fault(total.point, 0, *numbers.lost_and_doubled())
    fault_report.note(total)
    assert (total.lost, total.duplicated_state) == (0, 0)


def test_messages_to_a_broker_without_a_memory_are_not_taken_for_those_before_it_was_killed(
    mosquitto: Mosquitto, platform: Platform, numbers: Numbers
) -> None:
    numbers.send()
    eventually(numbers.counted)
    mosquitto.kill()
    mosquitto.start()
    listens(platform)
    numbers.sent = 0
    numbers.send()
    eventually(lambda: numbers.lost_and_doubled() == (0, BATCH))


@pytest.mark.timeout(600)
def test_a_broker_that_is_frozen_for_longer_than_we_wait_costs_nothing(
    mosquitto: Mosquitto, numbers: Numbers, rounds: int, fault_report: Report
) -> None:
    total = Fault("MQTT: broker frozen", 0)
    for _ in range(rounds):
        numbers.send()
        mosquitto.freeze()
        numbers.others_answer()
        time.sleep(random.uniform(0, 2.5 * KEEPALIVE))
        mosquitto.thaw()
        total += Fault(total.point, 1, recovery=[recovered(numbers)])
    total += Fault(total.point, 0, *numbers.lost_and_doubled())
    fault_report.note(total)
    assert (total.lost, total.duplicated_state) == (0, 0)
    assert numbers.are_in_order()


def test_a_broker_that_waits_for_each_acknowledgement_is_not_held_up_by_what_fails(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path, ["allow_anonymous true", "max_inflight_messages 1"])
    mosquitto.start()
    try:
        with impatient(tmp_path, {"counter": COUNTER}, MQTT_URL=mosquitto.url) as platform:
            listens(platform)
            numbers = Numbers(platform, mosquitto)
            publish(mosquitto.port, "trouble/0", "1", "2", "3")
            numbers.send()
            eventually(numbers.counted)
            assert (numbers.lost_and_doubled(), numbers.are_in_order()) == ((0, 0), True)
            assert len(platform.store.inbox.waiting()) == 3
    finally:
        mosquitto.stop()


def send_numbered(mosquitto: Mosquitto, batch: range) -> None:
    """Send numbers the way a device does that wants each to count once."""
    publish(mosquitto.port, "numbered/0", *(f'{{"number": {number}}}' for number in batch))
