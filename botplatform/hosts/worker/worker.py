"""The composition root of the worker: the one place where its parts are chosen and put together."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from botplatform.aws import client
from botplatform.effect import Effect, Publication
from botplatform.engine import Engine
from botplatform.errors import InvalidSettings, Rejected, StateUnavailable
from botplatform.event import Event
from botplatform.hosts.aws import AwsHost
from botplatform.hosts.clock import Clock
from botplatform.hosts.mqtt.connection import Connection
from botplatform.hosts.mqtt.devices import Devices
from botplatform.hosts.records import events_in, opened
from botplatform.hosts.runner import Runner
from botplatform.hosts.worker.dispatch import Dispatcher
from botplatform.hosts.worker.flight import Line
from botplatform.hosts.worker.journal import Journal
from botplatform.hosts.worker.periodic import Periodic
from botplatform.hosts.worker.poller import Poller, Room
from botplatform.hosts.worker.queue import Message, Queue
from botplatform.hosts.worker.visibility import Visibility
from botplatform.plugins import Plugins
from botplatform.router import Router
from botplatform.settings import Settings
from botplatform.store import StateKey
from botplatform.stores.dynamodb import DynamoStore, create_table
from botplatform.stores.dynamodb.store import GRACE

logger = logging.getLogger(__name__)

THREADS = 16
DEADLINE = 30.0
DRAIN = 30.0
SWEEP_EVERY = 60.0
COUNT_EVERY = 60.0


class Worker:
    """A worker in this process; raises BotplatformError when it cannot be started.

    `queues` are the URLs of those it takes messages from; the first is also where events go that plugins emit, or that
    cannot be handled at once. `dead_letters` is the URL of another queue than the one their redrive policies name.
    `threads` is how many messages are taken on at a time, and how many events of one handler are handled then;
    `deadline` is how many seconds it has for each, where it does not say otherwise. Effects that are left for
    `grace` seconds are performed by whoever sweeps, which each worker does about every `sweep_every` seconds.
    """

    def __init__(
        self,
        settings: Settings,
        queues: Sequence[str],
        folders: Sequence[Path],
        journal: Journal,
        *,
        dead_letters: str = "",
        threads: int = THREADS,
        deadline: float = DEADLINE,
        sweep_every: float = SWEEP_EVERY,
        grace: float = GRACE,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.plugins = Plugins(folders, entry_points=True, blocked=settings.block)
        self.queues = [Queue(url, settings.raw, dead_letters) for url in queues]
        self.store = _opened(settings, threads, grace)
        self._aws = AwsHost(settings.raw)
        self._room = Room(threads)
        runners = self._runners()
        self.dispatcher = Dispatcher(runners[0], self.store, self.accept, threads, deadline, settings.in_flight)
        self._lines = [
            Line(queue, Visibility(queue), runner, self.dispatcher, self._read, partial(_bury, self._letters(queue)))
            for queue, runner in zip(self.queues, runners, strict=True)
        ]
        self.devices = self._devices() if settings.mqtt_url else None
        self._parts: list[Poller | Clock | Periodic] = [
            *(Poller(line, self._room) for line in self._lines),
            Clock(self.dispatcher),
            Periodic("sweep", sweep_every, self.sweep),
            Periodic("counts", COUNT_EVERY, self.count),
        ]

    def _read(self, message: Message) -> Iterator[Event | Rejected]:
        """The events in a message, in any of the forms that reach a queue, and a Rejected for what is none."""
        for piece in opened(message.body.encode(), message.id):
            yield from events_in(piece, self.plugins.sources, self._aws.read)

    def start(self) -> None:
        """Begin to take events in."""
        if self.devices:
            self.devices.subscribe()
            self.devices.start()
        for part in self._parts:
            part.start()

    def stop(self) -> None:
        """Take nothing more in, finish what runs, and give back the rest for others to do."""
        self._room.close()
        for part in self._parts:
            part.stop()
        if self.devices:
            self.devices.leave()
        if not self.dispatcher.stop(DRAIN):
            logger.warning("some handlers did not finish in %g s; others will be given their events", DRAIN)
        for line in self._lines:
            line.visibility.stop()
        if self.devices:
            self.devices.stop()
        self.count()
        self.store.close()

    def sweep(self) -> None:
        """Perform the effects that a worker left behind, or whose destination was away."""
        self.journal.swept(self._lines[0].runner.sweep())

    def count(self) -> Mapping[str, int]:
        """Write down what was done since the start, and what is under way; returns it."""
        return self.journal.count(in_flight=self._room.taken, **self.dispatcher.counts)

    def publish(self, message: Publication) -> None:
        """Publish to MQTT, for the effect: to the broker in the settings, or through AWS IoT Core."""
        host = self.devices or self._aws
        host.publish(message)

    def accept(self, event: Event) -> None:
        """Put an event on the bus in the settings, or on the first queue, for whichever worker takes it."""
        if self.settings.raw.get("BOTPLATFORM_BUS"):
            self._aws.accept(event)
        else:
            self.queues[0].send(event.to_json(), event.key or event.id, f"{event.source} {event.id}")

    def _runners(self) -> list[Runner]:
        """One for each queue, since each has dead letters of its own."""
        engine = Engine(self.store, self.plugins.sources, time.time, self.plugins.infos, self.settings.chain_limit)
        router = Router(self.plugins.handlers)
        effects = {name: _going_out(effect) for name, effect in self._effects().items()}
        letters = [self._letters(queue) for queue in self.queues]
        return [Runner(engine, router, effects, host.bury, self.journal.note) for host in letters]

    def _effects(self) -> dict[str, Effect]:
        return self.plugins.effects(self.settings.raw, self)

    def _letters(self, queue: Queue) -> AwsHost:
        return AwsHost({**self.settings.raw, "BOTPLATFORM_DEAD_LETTERS": queue.dead_letters})

    def _devices(self) -> Devices:
        client_id = self.settings.mqtt_client_id or f"botplatform-{socket.gethostname()}"
        connection = Connection.of(self.settings, client_id)
        # What several commits write at the same time, DynamoDB refuses: each message's delivery has an item of its own.
        group = self.settings.mqtt_group
        return Devices(connection, self.dispatcher, connection.address, group=group, together=1)


def table_of(settings: Settings) -> str:
    """The name of the table that keeps the state; raises InvalidSettings when there is none in the settings."""
    name = settings.raw.get("BOTPLATFORM_TABLE", "")
    if not name:
        raise InvalidSettings("BOTPLATFORM_TABLE is missing: workers keep their state in a DynamoDB table")
    return name


def make_table(settings: Settings) -> None:
    """Make the table, unless it is there."""
    dynamodb = _dynamodb(settings, 1)
    try:
        create_table(dynamodb, table_of(settings))
    except dynamodb.exceptions.ResourceInUseException:
        logger.info("the table %s is there already", table_of(settings))


def _opened(settings: Settings, threads: int, grace: float) -> DynamoStore:
    """The state; raises StateUnavailable when there is no table to keep it in."""
    store = DynamoStore(table_of(settings), _dynamodb(settings, threads), grace=grace)
    try:
        store.read(StateKey("@worker", "start"))
    except StateUnavailable as error:
        raise StateUnavailable(f"{error}; deploy one, or make one with --create-table") from error
    return store


def _dynamodb(settings: Settings, threads: int) -> Any:
    return client("dynamodb", settings.raw, connections=2 * threads + 10)


def _bury(letters: AwsHost, message: Message, reason: str) -> None:
    letters.bury_bytes(message.body.encode(), reason)


def _going_out(effect: Effect) -> Effect:
    """An effect as it was. But there is no outbox to look into here: what would go there is given up, and says why."""

    def perform(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        result = effect.perform(arguments, key)
        if result.get("via") == "outbox":
            raise Rejected(f"the effect {effect.name} is connected to nothing: are its settings there?")
        return result

    return Effect(effect.name, perform, effect.destination)
