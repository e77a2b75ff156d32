"""MQTT messages to deliveries: each acknowledged once it is durable, and known when it comes again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from botplatform import codec
from botplatform.hosts.local.dispatch import Dispatcher
from botplatform.hosts.local.mqtt import Connection, MqttClient
from botplatform.sources.mqtt.message import Deliveries, Message
from botplatform.sources.mqtt.source import own_id, to_event
from botplatform.store import StateKey, Write
from botplatform.subscription import Subscription

_PACKETS = "@mqtt.packets"
_FILTERS = StateKey("@mqtt", "filters")


class Devices:
    """The platform's side of an MQTT connection; `broker` is what events name as their source.

    `everything` subscribes to all topics, so that what nobody listens to is in the log too.
    """

    def __init__(self, connection: Connection, dispatcher: Dispatcher, broker: str, everything: bool) -> None:
        self._dispatcher = dispatcher
        self._store = dispatcher.store
        remembered = {int(key): tuple(codec.decode(value.json or b"")) for key, value in self._store.scan(_PACKETS, "")}
        self._deliveries = Deliveries(remembered, lambda: uuid.uuid4().hex)
        self._subscriptions: list[Subscription] = []
        self.broker = broker
        self._everything = everything
        self.client = MqttClient(
            connection,
            self._receive,
            on_confirmed=lambda packets: self._forget(self._deliveries.confirmed(packets)),
            on_session_lost=lambda: self._forget(self._deliveries.reset()),
            subscribed=codec.decode(self._store.read(_FILTERS).json or b"[]"),
        )

    def subscribe(self) -> None:
        """Subscribe to what the loaded plugins listen to."""
        handlers = self._dispatcher.router.handlers.values()
        self._subscriptions = [s for handler in handlers for s in handler.subscriptions if s.source == "mqtt"]
        filters: dict[str, int] = {"#": 1} if self._everything else {}
        for subscription in self._subscriptions:
            if subscription.topic and not self._everything:
                name = subscription.topic.filter
                filters[name] = max(filters.get(name, 0), subscription.options["qos"])
        self._store.write({_FILTERS: Write("put", codec.encode(sorted(filters)))})
        self.client.subscribe(filters)

    def _receive(self, message: Message, acknowledge: Callable[[], None]) -> None:
        assigned = self._deliveries.identify(message)
        id_ = own_id(message, self._subscriptions) or assigned
        now = datetime.fromtimestamp(self._dispatcher.engine.clock(), UTC)
        record = self._deliveries.record(message)
        also = {}
        if record:
            value = codec.encode([record.digest, record.event_id])
            also[StateKey(_PACKETS, str(record.packet_id))] = Write("put", value)
        self._dispatcher.submit(to_event(message, id_, self.broker, now), acknowledge, also)

    def _forget(self, packets: list[int]) -> None:
        if packets:
            gone = {StateKey(_PACKETS, str(packet)): Write("delete") for packet in packets}
            self._store.write(gone, wait=False)
