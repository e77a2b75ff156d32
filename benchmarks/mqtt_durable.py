"""How fast do MQTT messages become durable state, each acknowledged after its commit?"""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from benchmarks import mosquitto
from benchmarks.bars import BY_HAND, at_least
from benchmarks.by_hand import ByHand
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.platforms import running
from botplatform import codec
from botplatform.hosts.local.overlay import Overlay
from botplatform.hosts.local.platform import Platform
from botplatform.sources.mqtt.message import Message
from botplatform.sources.mqtt.source import to_event
from botplatform.store import Committed, Run, StateKey, Work
from botplatform.stores.sqlite import SqliteStore

MESSAGES = 20_000
SENSORS = 100
GROUP = 100
# As many as the platform commits together, or nearly so.
LARGE_GROUP = 500
CHECKED = 1000
PLUGINS = Path(__file__).parent / "plugins"
PAYLOAD = b'{"celsius": 21.5}'
HANDLER = "reading_counter.count"
COUNTER = StateKey("reading_counter", "readings")
TITLE = f"mqtt_durable: {MESSAGES:,} messages of QoS 1 that wait in Mosquitto"
PAHO, EACH, US = "paho", "paho, a commit each", "the platform"
RUNS = f"{BY_HAND}, but for runs"
_WITHIN = 120.0
SOURCE = "mqtt://127.0.0.1"


def races() -> Iterator[Race]:
    """One race: the messages wait in the broker, and the clock runs from connecting until the last is dealt with."""
    if mosquitto.binary() is None:
        yield Race(TITLE, [], {"everything": "mosquitto is not installed"})
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        port = stack.enter_context(mosquitto.broker(folder))
        us = stack.enter_context(running(folder / "state", PLUGINS, MQTT_URL=f"mqtt://{mosquitto.HOST}:{port}"))
        table = stack.enter_context(closing(_Table(folder / "peer.db")))
        empty = _Subscriber(port, "empty", lambda _: None)
        each = _Subscriber(port, "each", table.insert)
        groups = _Subscriber(port, "groups", table.insert, GROUP)
        log = stack.enter_context(closing(ByHand(folder / "log.db", SOURCE, "org.mqtt.message", counts=True)))
        by_hand = _Subscriber(port, "by hand", _keeping(log), LARGE_GROUP)
        store = stack.enter_context(closing(SqliteStore(folder / "runs.db")))
        runs = _Subscriber(port, "runs", _running(us, store), LARGE_GROUP)
        yield Race(
            TITLE,
            [
                Contender(PAHO, empty.measure, "with an empty callback; nothing is kept"),
                Contender(EACH, partial(_committed, each, table), "SQLite (FULL), then the ack"),
                Contender(f"paho, a commit per {GROUP}", partial(_committed, groups, table), "then as many acks"),
                Contender(
                    BY_HAND,
                    partial(_committed, by_hand, log),
                    f"log entry, marker, count and its history, a commit per {LARGE_GROUP}; nothing else of a run",
                ),
                Contender(
                    RUNS,
                    partial(_counted_in, store, runs),
                    "an event each, its handler run as a unit of work, committed by the platform's store; nothing else",
                ),
                Contender(US, partial(_handled, us, port, SENSORS), f"{SENSORS} topics, each in its order"),
                Contender("the platform, one topic", partial(_handled, us, port, 1), "so one message after the other"),
            ],
            bars=[at_least(US, 0.8, of=PAHO), at_least(US, 6, of=EACH)],
        )


class _Subscriber:
    """A paho client with a persistent session, which acknowledges a group of messages when `handle` returned."""

    def __init__(self, port: int, name: str, handle: Callable[[Sequence[bytes]], object], group: int = 1) -> None:
        self._port = port
        self._topic = f"{name}/{{}}/temperature"
        self._handle = handle
        self._group = group
        self._waiting: list[paho.MQTTMessage] = []
        self._handled = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, manual_ack=True)
        self._client.on_connect = lambda client, *_: client.subscribe(self._topic.format("+"), qos=1)
        self._client.on_subscribe = lambda client, *_: client.disconnect()
        self._client.on_message = self._receive
        self._client.connect(mosquitto.HOST, port)
        self._client.loop_forever()

    def measure(self) -> Figures:
        """Let messages gather while we are away, then take them in; the broker must have none left."""
        mosquitto.publish(self._port, _topics(self._topic, SENSORS), PAYLOAD)
        self._client.on_connect = None
        self._handled = 0
        began = time.perf_counter()
        self._client.reconnect()
        while self._handled < MESSAGES and self._client.loop() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass
        seconds = time.perf_counter() - began
        self._client.disconnect()
        self._client.loop_forever()
        _expect(self._handled, MESSAGES)
        return {"messages/s": MESSAGES / seconds}

    def _receive(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._waiting.append(message)
        if len(self._waiting) < self._group:
            return
        self._handle([bytes(message.payload) for message in self._waiting])
        for handled in self._waiting:
            client.ack(handled.mid, handled.qos)
        self._handled += len(self._waiting)
        self._waiting.clear()


class _Table:
    """A row for each message."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE readings (number INTEGER PRIMARY KEY, payload BLOB)")

    def insert(self, payloads: Sequence[bytes]) -> None:
        """Return once the rows are on disk, in one commit."""
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO readings (payload) VALUES (?)", [(payload,) for payload in payloads])
        self._database.execute("COMMIT")

    def count(self) -> int:
        """How many rows there are."""
        count: int = self._database.execute("SELECT count(*) FROM readings").fetchone()[0]
        return count

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _keeping(log: ByHand) -> Callable[[Sequence[bytes]], None]:
    """What keeps messages in `log`, in one commit."""
    numbers = itertools.count(1)

    def keep(payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            log.keep(f"message-{next(numbers)}", "sensors/1/temperature", codec.decode(payload))
        log.commit()

    return keep


def _committed(subscriber: _Subscriber, table: _Table | ByHand) -> Figures:
    before = table.count()
    figures = subscriber.measure()
    _expect(table.count() - before, MESSAGES)
    return figures


def _running(us: Platform, store: SqliteStore) -> Callable[[Sequence[bytes]], None]:
    """What runs a handler for each message, and commits together; nothing is queued, timed, told or known again."""
    numbers, engine, router = itertools.count(1), us.dispatcher.engine, us.dispatcher.router

    def handle(payloads: Sequence[bytes]) -> None:
        messages = [Message("sensors/1/temperature", payload, 1, False, False, 0) for payload in payloads]
        events = [to_event(message, f"message-{next(numbers)}", SOURCE) for message in messages]
        works = [Work(event.source, event.id, HANDLER) for event in events]
        overlay, commits = Overlay(store, works), []
        for event, work in zip(events, works, strict=True):
            (match,) = router.route(event)
            if overlay.outcome(work):
                raise Wrong("a message was handled before")
            commits.append(engine.attempt(work, event, match, Run(answered=True), overlay))
            overlay.write(commits[-1].writes)
        results: list[Committed | Exception] = []
        store.submit(commits, results.extend)
        if not all(isinstance(result, Committed) for result in results):
            raise Wrong(f"not all was committed: {results}")

    return handle


def _counted_in(store: SqliteStore, subscriber: _Subscriber) -> Figures:
    before = _count_of(store)
    figures = subscriber.measure()
    _expect(_count_of(store) - before, MESSAGES)
    return figures


def _handled(us: Platform, port: int, sensors: int) -> Figures:
    """Let messages gather while the platform is away; what it counts at the end is what was sent in all rounds."""
    assert us.devices
    client = us.devices.client
    wanted = _counted(us) + MESSAGES
    client.stop()
    mosquitto.publish(port, _topics("sensors/{}/temperature", sensors), PAYLOAD)
    began = time.perf_counter()
    client.start()
    while _counted(us) < wanted and time.perf_counter() - began < _WITHIN:
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    # A message that was acknowledged too late, or not at all, would come again now.
    client.stop()
    client.start()
    while us.busy() or not client.connected:
        time.sleep(0.005)
    _expect(_counted(us), wanted)
    _check_order(us)
    return {"messages/s": MESSAGES / seconds}


def _check_order(us: Platform) -> None:
    """Of the last messages, those of each topic have to be in the log, which a commit writes to, as they came."""
    last: dict[str, int] = {}
    for entry in reversed(us.store.log.events(limit=CHECKED, newest_first=True)):
        number = int(entry["id"].rpartition("-")[2])  # that of the message among all that came
        if number < last.get(entry["subject"], 0):
            raise Wrong(f"a message on {entry['subject']} was handled before an earlier one")
        last[entry["subject"]] = number


def _counted(us: Platform) -> int:
    return _count_of(us.store)


def _count_of(store: SqliteStore) -> int:
    return int(codec.decode(store.read(COUNTER).json or b"0"))


def _topics(template: str, sensors: int) -> list[str]:
    return [template.format(number % sensors) for number in range(MESSAGES)]


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise Wrong(f"{wanted} messages were sent and {found} are in the state")
