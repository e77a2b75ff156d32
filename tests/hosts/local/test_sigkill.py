"""What is left when the process dies without warning: everything, once."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from botplatform.codec import decode
from botplatform.sources.slack import signature
from botplatform.stores.sqlite import SqliteStore
from tests.hosts.local.fake_slack import FakeSlack
from tests.hosts.local.process import Process
from tests.hosts.local.running import request, written
from tests.mosquitto import Mosquitto, eventually

MESSAGES = 10_000
KILLS = 10
TOPICS = 8
COUNTER = '''"""Counts messages: all of them, and each by its number."""

from botplatform import Context, Event, mqtt


@mqtt.topic("numbers/{sender}")
def count(event: Event, ctx: Context) -> None:
    ctx.state.add("count")
    ctx.state.add(f"number {event.data}")
    ctx.state.append(f"from {ctx.params['sender']}", event.data)


@mqtt.topic("ready")
def note(ctx: Context) -> None:
    ctx.state["ready"] = True
'''

# Waits until the test has written a file.
PATIENT = '''"""Answers when the gate is open."""

import time
from pathlib import Path

from botplatform import Context, slack


@slack.command("/wait")
def wait(ctx: Context) -> str:
    while not Path({gate!r}).exists():
        time.sleep(0.01)
    return "At last."
'''


@pytest.mark.timeout(300)
def test_no_message_is_lost_or_counted_twice_however_often_the_process_is_killed(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    written(tmp_path, {"counter": COUNTER})
    with process(tmp_path, MQTT_URL=mosquitto.url), kept(tmp_path) as store:
        eventually(lambda: hears(mosquitto, store))
    numbers = iter(range(MESSAGES))
    for _ in range(KILLS):
        with process(tmp_path, MQTT_URL=mosquitto.url), ThreadPoolExecutor() as others:
            sent = others.submit(publish, mosquitto, [next(numbers) for _ in range(MESSAGES // KILLS)])
            time.sleep(random.uniform(0, 2))
        sent.result()
    with process(tmp_path, MQTT_URL=mosquitto.url) as last, kept(tmp_path) as store:
        last.started()
        eventually(lambda: counted(store).get("count", 0) >= MESSAGES, seconds=60)
        assert last.end(signal.SIGTERM) == 0, last.log.read_text()
        state = counted(store)
        assert (store.inbox.waiting(), store.inbox.dead_letters()) == ([], [])
    assert state.pop("count") == MESSAGES
    assert {key: times for key, times in state.items() if key.startswith("number")} == {
        f"number {number}": 1 for number in range(MESSAGES)
    }
    for sender in range(TOPICS):
        in_order = [n for n in range(MESSAGES) if n % TOPICS == sender]
        assert state[f"from {sender}"] == in_order


def test_a_command_acknowledged_before_the_process_was_killed_is_answered_after_the_next_start(tmp_path: Path) -> None:
    written(tmp_path, {"patient": PATIENT.format(gate=str(tmp_path / "open"))})
    with closing(FakeSlack()) as slack:
        command = slack.command("/wait")
        signed = signature.sign("the secret", command, datetime.now(UTC))
        with process(tmp_path, **slack.settings) as first:
            assert request(f"{first.started()}/slack", command, signed).json["text"] == "Still working on it …"
        (tmp_path / "open").touch()
        with process(tmp_path, **slack.settings):
            assert slack.next() == ("/commands/1", {"response_type": "ephemeral", "text": "At last."})


def hears(mosquitto: Mosquitto, store: SqliteStore) -> bool:
    """Whether messages arrive: until they do, the broker knows of no subscription and keeps nothing."""
    mosquitto.publish("ready", "1")
    return bool(counted(store))


def publish(mosquitto: Mosquitto, numbers: list[int]) -> None:
    """Send numbers, a few at a time, each by the sender whose turn it is."""
    for sender in range(TOPICS):
        own = [str(number) for number in numbers if number % TOPICS == sender]
        mosquitto.publish(f"numbers/{sender}", *own)
        time.sleep(random.uniform(0, 0.2))


@contextmanager
def process(folder: Path, **settings: str) -> Iterator[Process]:
    """A platform that is killed when the block ends, wherever it is then."""
    process = Process(folder, **settings)
    try:
        yield process
    finally:
        process.kill()


@contextmanager
def kept(folder: Path) -> Iterator[SqliteStore]:
    """The state of a platform, to look at."""
    store = SqliteStore(folder / "state" / "state.db")
    yield store
    store.close()


def counted(store: SqliteStore) -> dict[str, Any]:
    """What the handler has counted."""
    return {key: decode(value.json or b"") for key, value in store.scan("counter", "")}
