"""MQTT messages to deliveries: each acknowledged once it is durable, and known when it comes again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from botplatform import codec
from botplatform.hosts.intake import Intake
from botplatform.hosts.mqtt.client import Connection, MqttClient
from botplatform.sources.mqtt.deliveries import Deliveries
from botplatform.sources.mqtt.message import Message
from botplatform.sources.mqtt.source import own_id, to_event
from botplatform.store import StateKey, Write
from botplatform.subscription import Subscription


class Devices:
    """The platform's side of an MQTT connection; `broker` is what events name as their source, `client_id` who we are.

    `everything` subscribes to all topics, so that what nobody listens to is in the log too. With a `group`, the broker
    gives each message to only one of those in it (MQTT 5.0, 4.8.2).
    """

    def __init__(
        self, connection: Connection, intake: Intake, broker: str, everything: bool = False, group: str = ""
    ) -> None:
        self._intake = intake
        self._store = intake.store
        # What a session holds is known by its client id, as the session is.
        self._packets = f"@mqtt.packets {connection.client_id}"
        self._filters = StateKey("@mqtt", f"filters {connection.client_id}")
        stored = self._store.scan(self._packets, "")
        remembered = {int(key): tuple(codec.decode(value.json or b"")) for key, value in stored}
        self._deliveries = Deliveries(remembered, lambda: uuid.uuid4().hex)
        self._subscriptions: list[Subscription] = []
        self.broker = broker
        self.client_id = connection.client_id
        self._everything = everything
        self._prefix = f"$share/{group}/" if group else ""
        self.client = MqttClient(
            connection,
            self._receive,
            on_confirmed=lambda packets: self._forget(self._deliveries.confirmed(packets)),
            on_session_lost=lambda: self._forget(self._deliveries.reset()),
            subscribed=codec.decode(self._store.read(self._filters).json or b"[]"),
        )

    def subscribe(self) -> None:
        """Subscribe to what the loaded plugins listen to."""
        handlers = self._intake.router.handlers.values()
        self._subscriptions = [s for handler in handlers for s in handler.subscriptions if s.source == "mqtt"]
        filters: dict[str, int] = {"#": 1} if self._everything else {}
        for subscription in self._subscriptions:
            if subscription.topic and not self._everything:
                name = self._prefix + subscription.topic.filter
                filters[name] = max(filters.get(name, 0), subscription.options["qos"])
        self._store.write({self._filters: Write("put", codec.encode(sorted(filters)))})
        self.client.subscribe(filters)

    def leave(self) -> None:
        """Unsubscribe from everything, so that the broker gives what comes to others."""
        self.client.subscribe({})

    def _receive(self, message: Message, acknowledge: Callable[[], None]) -> None:
        assigned = self._deliveries.identify(message)
        id_ = own_id(message, self._subscriptions) or assigned
        now = datetime.fromtimestamp(self._intake.engine.clock(), UTC)
        record = self._deliveries.record(message)
        also = {}
        if record:
            value = codec.encode([record.digest, record.event_id])
            also[StateKey(self._packets, str(record.packet_id))] = Write("put", value)
        self._intake.submit(to_event(message, id_, self.broker, now), acknowledge, also)

    def _forget(self, packets: list[int]) -> None:
        if packets:
            gone = {StateKey(self._packets, str(packet)): Write("delete") for packet in packets}
            self._store.write(gone, wait=False)
