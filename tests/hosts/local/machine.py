"""A local host without doors: dispatcher, performer and recorder on one folder, and an outside world that is a list."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botplatform import Event, codec
from botplatform.effect import Effect
from botplatform.engine import Engine
from botplatform.hosts.local.delivery import Delivery
from botplatform.hosts.local.dispatch import Dispatcher
from botplatform.hosts.local.performer import Performer
from botplatform.hosts.local.recorder import Recorder
from botplatform.plugins import Plugins
from botplatform.router import Handler, Router
from botplatform.settings import Settings
from botplatform.stores.sqlite import SqliteStore

PATIENCE = 20.0
Start = Callable[..., "Machine"]
"""Starts a machine on the test's folder with some handlers, and with what `Machine` takes or settings by name."""


class Machine:
    """Handles events with `handlers`; retries follow at once."""

    def __init__(
        self,
        folder: Path,
        *handlers: Handler,
        deadline: float = 30.0,
        clock: Callable[[], float] = time.time,
        **settings: Any,
    ) -> None:
        self.outside: list[tuple[str, Mapping[str, Any]]] = []
        self.store = SqliteStore(folder / "state.db", clock)
        self.performer = Performer(self.store)
        self.performer.effects = {name: self._effect(name) for name in ("text", "slack")}
        self.recorder = Recorder(folder / "running.bin", self.store, clock())
        engine = Engine(self.store, Plugins().sources, clock)
        parts = (engine, self.store, self.performer, self.recorder)
        self.dispatcher = Dispatcher(*parts, Settings(**settings), deadline)
        self.dispatcher.router = Router(handlers)
        for part in (self.performer, self.dispatcher):
            part.backoff = lambda attempts: 0.001 * attempts
            part.pause = 0.01

    def resume(self) -> None:
        """Go on with what the last machine on this folder left."""
        self.dispatcher.resume(self.store.inbox.all_waiting())
        self.performer.resume()

    def handle(self, *events: Event) -> list[Delivery]:
        """Hand events over and return when all are settled."""
        deliveries = [self.dispatcher.submit(event) for event in events]
        for delivery in deliveries:
            assert delivery.settled.wait(PATIENCE)
        return deliveries

    def stop(self, timeout: float = PATIENCE) -> None:
        """Leave the folder to the next machine."""
        self.dispatcher.stop(timeout)
        self.performer.stop(timeout)
        self.store.close()
        self.recorder.close()

    def _effect(self, name: str) -> Effect:
        def perform(arguments: Mapping[str, Any], _: str) -> Mapping[str, Any]:
            self.outside.append((name, arguments))
            return {}

        return Effect(name, perform, "a list")


class Gate:
    """Holds handlers up until it is opened, and counts those in front of it: `waiting` now, and `most` so far."""

    def __init__(self) -> None:
        self.waiting = 0
        self.most = 0
        self._lock = threading.Lock()
        self._open = threading.Event()

    def wait(self) -> None:
        """Return when it is open."""
        self._pass(1)
        assert self._open.wait(PATIENCE)
        self._pass(-1)

    def open(self) -> None:
        """Let everybody pass, now and later."""
        self._open.set()

    def _pass(self, change: int) -> None:
        with self._lock:
            self.waiting += change
            self.most = max(self.most, self.waiting)


def state(machine: Machine) -> dict[str, Any]:
    """What the plugin "demo" keeps."""
    return {key: codec.decode(value.json or b"null") for key, value in machine.store.scan("demo", "")}


def waiting(machine: Machine) -> list[str]:
    """The ids of the events in the inbox."""
    return [item.event.id for item in machine.store.inbox.waiting()]


def dead_letters(machine: Machine) -> list[tuple[str, int, str]]:
    """The id of each, how often it was tried, and why it was given up."""
    return [(item.event.id, item.attempts, item.reason) for item in machine.store.inbox.dead_letters()]
