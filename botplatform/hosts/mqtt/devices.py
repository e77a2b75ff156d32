"""MQTT messages to deliveries, each acknowledged once it is durable and known when it comes again; and messages out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from botplatform import codec
from botplatform.effect import CHAIN_PROPERTY, Publication
from botplatform.hosts.intake import Intake
from botplatform.hosts.mqtt.client import Connection, MqttClient, backoff
from botplatform.hosts.mqtt.echoes import Echoes
from botplatform.sources.mqtt.deliveries import Deliveries
from botplatform.sources.mqtt.message import Message
from botplatform.sources.mqtt.source import own_id, to_event
from botplatform.store import StateKey, Write
from botplatform.subscription import Subscription


class Devices:
    """The platform's side of an MQTT connection; `broker` is what events name as their source, `client_id` who we are.

    `everything` subscribes to all topics, so that what nobody listens to is in the log too. With a `group`, the broker
    gives each message to only one of those in it (MQTT 5.0, 4.8.2). `wait` is that of the client. `outwards` is what to
    publish through, if it is not the same: the embedded broker sends nothing, not even that it took a message, to whom
    it waits for.
    """

    def __init__(
        self,
        connection: Connection,
        intake: Intake,
        broker: str,
        everything: bool = False,
        group: str = "",
        wait: Callable[[int, float], float] = backoff,
        outwards: Connection | None = None,
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
            on_dropped=lambda: intake.count("dropped: messages of QoS 0 there was no room for"),
            subscribed=codec.decode(self._store.read(self._filters).json or b"[]"),
            notes=self._store,
            wait=wait,
        )
        self._outwards = MqttClient(outwards, _listen_to_nothing, wait=wait) if outwards else self.client
        self._echoes = None if (outwards or connection).carries_properties else Echoes()

    def start(self) -> None:
        """Connect, now and whenever the connection breaks."""
        self.client.start()
        if self._outwards is not self.client:
            self._outwards.start()

    def stop(self) -> None:
        """Disconnect; nothing comes in any more."""
        self.client.stop()
        if self._outwards is not self.client:
            self._outwards.stop()

    def publish(self, message: Publication) -> None:
        """Return once the broker has the message; raises what `MqttClient.publish` does."""
        if self._echoes:
            self._echoes.published(message, self._intake.engine.clock())
        self._outwards.publish(*message)

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
        self._intake.submit(to_event(self._recognized(message), id_, self.broker, now), acknowledge, also)

    def _recognized(self, message: Message) -> Message:
        """The message with the chain it was published with, where the broker did not carry it."""
        chain = self._echoes.chain_of(message, self._intake.engine.clock()) if self._echoes else ""
        return message._replace(properties=((CHAIN_PROPERTY, chain),)) if chain else message

    def _forget(self, packets: list[int]) -> None:
        if packets:
            gone = {StateKey(self._packets, str(packet)): Write("delete") for packet in packets}
            self._store.write(gone, wait=False)


def _listen_to_nothing(_message: Message, acknowledge: Callable[[], None]) -> None:
    acknowledge()
