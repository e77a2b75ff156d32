"""The composition root of the local host: the one place where its parts are chosen and put together."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from botplatform import codec
from botplatform.effect import Publication
from botplatform.engine import Engine
from botplatform.errors import NotAttempted
from botplatform.event import Event
from botplatform.hosts.clock import Clock
from botplatform.hosts.local.broker import EmbeddedBroker
from botplatform.hosts.local.broker_watch import BrokerWatch
from botplatform.hosts.local.development import alexa_verify, kept, slack_verify
from botplatform.hosts.local.dispatch import DEADLINE, Dispatcher
from botplatform.hosts.local.doors import Doors
from botplatform.hosts.local.folder import WatchedFolder
from botplatform.hosts.local.http.access import Access
from botplatform.hosts.local.http.bodies import Bodies
from botplatform.hosts.local.http.endpoints import Endpoints
from botplatform.hosts.local.http.messages import Request, Response
from botplatform.hosts.local.http.server import HttpServer
from botplatform.hosts.local.lock import FolderLock
from botplatform.hosts.local.operations import Operations
from botplatform.hosts.local.performer import Performer
from botplatform.hosts.local.recorder import Recorder
from botplatform.hosts.local.reload import Reloader
from botplatform.hosts.local.whereabouts import announce, withdraw
from botplatform.hosts.mqtt.connection import Connection
from botplatform.plugins import Plugins
from botplatform.router import Router
from botplatform.settings import Settings
from botplatform.source import masked
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.opening import prepare

if TYPE_CHECKING:
    from flask import Flask

    from botplatform.hosts.mqtt.devices import Devices

logger = logging.getLogger(__name__)

DATABASE = "state.db"
_DRAIN = 10.0
_DAY = 86400.0


class Platform:
    """A whole platform in this process; raises BotplatformError when it cannot be started.

    `folders` are the plugin folders; `clock` gives the Unix time in seconds; `deadline` is how long a handler may run.
    `restart` has whoever runs the platform stop it and start another in its place.
    """

    def __init__(
        self,
        settings: Settings,
        folders: Sequence[Path],
        clock: Callable[[], float] = time.time,
        deadline: float = DEADLINE,
        entry_points: bool = True,
        restart: Callable[[], None] | None = None,
    ) -> None:
        codec.use_msgspec()
        self.settings = settings
        self._folders = folders
        self._entry_points = entry_points
        self.plugins = Plugins(folders, entry_points, settings.block)
        self._lock = FolderLock(settings.state)
        prepare(settings.state / DATABASE)
        self.store = SqliteStore(settings.state / DATABASE, clock, self._masked)
        self._recorder = Recorder(settings.state / "running.bin", self.store, clock())
        self._performer = Performer(self.store)
        engine = Engine(self.store, self.plugins.sources, clock, lambda: self.plugins.infos(), settings.chain_limit)
        self.dispatcher = Dispatcher(engine, self.store, self._performer, self._recorder, settings, deadline)
        self.operations = Operations(self.store, engine, lambda: self.dispatcher.router, self.dispatcher, restart)
        self.broker = None if settings.mqtt_url else EmbeddedBroker(settings.mqtt_port)
        self.devices: Devices | None = None
        self._broker_watch = BrokerWatch(self.broker, self._is_connected) if self.broker else None
        self.clock = Clock(self.dispatcher, hourly=self._prune)
        self.doors = Doors(self.dispatcher, slack_verify(settings), alexa_verify(settings))
        self._reloader = Reloader(folders, self.reload)
        self._folder: WatchedFolder | None = None
        self._bodies = Bodies(settings.bodies_limit, self.dispatcher.count)
        self._http: HttpServer | None = None
        self.started = clock()
        self.token = secrets.token_urlsafe(32)

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        return self._http.url if self._http else ""

    @property
    def mqtt_url(self) -> str:
        """Where devices connect to (MQTT 3.1.1), without credentials."""
        return self.devices.broker if self.devices else ""

    def start(self) -> None:
        """Start all parts; what an earlier process left unfinished goes on."""
        self._serve_plugins()
        self.dispatcher.resume(self.store.inbox.all_waiting())
        access = Access(self.settings.allowed_hosts, self.settings.events_token)
        endpoints = Endpoints(self.doors, access, self._page)
        self._http = HttpServer(endpoints, self.settings.host, self.settings.port, self._bodies)
        if self.settings.cloudtrail_folder:
            self._folder = WatchedFolder(self.settings.cloudtrail_folder, self.doors, self.store)
            self._folder.start()
        self.clock.start()
        self._reloader.start()
        self._connect_devices()  # after the doors are open: a broker takes longer to start than all the rest
        self._performer.resume()
        self._announce()

    def stop(self) -> None:
        """Take nothing more in, finish what is under way, and leave the rest to the next start."""
        withdraw(self.settings.state)
        if self._http:
            self._reloader.stop()
            self.clock.stop()
            self._http.stop()
            self._http = None
        if self._folder:
            self._folder.stop()
        if not self.dispatcher.stop(_DRAIN):
            logger.warning(
                "some handlers did not finish in %g s; their events are tried again at the next start", _DRAIN
            )
        self._performer.stop(_DRAIN)
        if self._broker_watch:
            self._broker_watch.stop()
        if self.devices:
            self.devices.stop()
        if self.broker:
            self.broker.stop()
        self.store.close()
        self._recorder.close()
        self._lock.release()

    def reload(self) -> None:
        """Load the plugins anew; one that fails its checks leaves its old version serving."""
        self.plugins = Plugins(self._folders, self._entry_points, self.settings.block, previous=self.plugins)
        self._serve_plugins()
        for mistake in self.plugins.mistakes:
            logger.error("%s", mistake)
        logger.info("plugins loaded anew: %s", ", ".join(self.plugins.loaded) or "none")

    def publish(self, message: Publication) -> None:
        """Publish to MQTT, for the effect."""
        if not self.devices:
            raise NotAttempted("MQTT is not started yet")
        if self.broker:
            self.broker.check(message.topic)
        self.devices.publish(message)

    def accept(self, event: Event) -> None:
        """Take an event in, for the effect `emit`."""
        self.dispatcher.accept(event)

    def levels(self) -> dict[str, dict[str, int | str]]:
        """How full everything is that has a limit, requests in memory among it; see `Dispatcher.levels`."""
        return {**self.dispatcher.levels(), "bodies": self._bodies.level.shown()}

    def busy(self) -> bool:
        """Whether anything is being handled or performed."""
        return self.dispatcher.busy() or self._performer.busy()

    @cached_property
    def _console(self) -> Flask:
        """Flask is imported when somebody looks at a page: that takes longer than all the rest of a start."""
        from botplatform.console.pages import add_console
        from botplatform.hosts.local.http.pages import make_app

        app = make_app()
        add_console(app, self)
        return app

    def _page(self, request: Request) -> Response:
        from botplatform.hosts.local.http.pages import respond

        return respond(self._console, request)

    def _is_connected(self) -> bool:
        return self.devices is not None and self.devices.client.connected

    def _serve_plugins(self) -> None:
        self.dispatcher.engine.sources = self.plugins.sources
        self._performer.effects = self.plugins.effects(self.settings.raw, self)
        self.dispatcher.router = Router(self.plugins.handlers)
        if self.devices:
            self.devices.subscribe()

    def _prune(self) -> None:
        self.store.prune(self.settings.log_days * _DAY, self.settings.log_limit)

    def _connect_devices(self) -> None:
        if self.broker:
            self.broker.start()
        self.devices = self._devices()
        self.devices.subscribe()
        self.devices.start()
        if self._broker_watch:
            self._broker_watch.start()

    def _devices(self) -> Devices:
        from botplatform.hosts.mqtt.devices import Devices

        settings = self.settings
        client_id = settings.mqtt_client_id or f"botplatform-{kept(settings.state / 'mqtt-client-id')[:12]}"
        if self.broker:
            # On a broker of our own a device with a mistaken topic can be seen; on another's that is not for us to ask.
            inwards, outwards = self.broker.connection(client_id), self.broker.connection(f"{client_id}-out")
            return Devices(inwards, self.dispatcher, self.broker.url, everything=True, outwards=outwards)
        connection = Connection.of(settings, client_id)
        return Devices(connection, self.dispatcher, connection.address)

    def _masked(self, event: Event) -> bytes:
        """The envelope as the log may keep it."""
        return masked(event, self.dispatcher.engine.source_of(event).secrets)

    def _announce(self) -> None:
        """Say where we are, for `botplatform send` and other tools."""
        where = {"pid": os.getpid(), "url": self.url, "mqtt": self.mqtt_url, "token": self.token}
        announce(self.settings.state, where)
