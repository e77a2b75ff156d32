"""MQTT messages to deliveries, each acknowledged once it is durable and known when it comes again; and messages out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from botplatform import codec
from botplatform.effect import CHAIN_PROPERTY, Publication
from botplatform.event import Event
from botplatform.hosts.intake import Arrival, Intake
from botplatform.hosts.mqtt.client import Connection, MqttClient, backoff
from botplatform.hosts.mqtt.echoes import Echoes
from botplatform.hosts.mqtt.held import Arrived
from botplatform.hosts.mqtt.ledger import TOGETHER, Ledger
from botplatform.sources.mqtt.message import Message
from botplatform.sources.mqtt.source import TOPICS, own_id, to_event
from botplatform.store import StateKey, Write
from botplatform.subscription import Subscription


class Devices:
    """The platform's side of an MQTT connection; `broker` is what events name as their source, `client_id` who we are.

    `everything` subscribes to all topics, so that what nobody listens to is in the log too. With a `group`, the broker
    gives each message to only one of those in it (MQTT 5.0, 4.8.2). `wait` is that of the client, `together` that of
    the ledger. `outwards` is what to publish through, if it is not the same: the embedded broker sends nothing, not
    even that it took a message, to whom it waits for.
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
        together: int = TOGETHER,
    ) -> None:
        self._intake = intake
        self._store = intake.store
        self._filters = StateKey("@mqtt", f"filters {connection.client_id}")
        self._ledger = Ledger(self._store, connection.client_id, together)
        self._numbering = _numbering([])
        self.broker = broker
        self.client_id = connection.client_id
        self._everything = everything
        self._prefix = f"$share/{group}/" if group else ""
        self.client = MqttClient(
            connection,
            self._receive,
            on_confirmed=self._ledger.confirmed,
            on_session_lost=self._ledger.session_lost,
            on_dropped=lambda: intake.count("dropped: messages of QoS 0 there was no room for"),
            help=intake.help,
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
        subscriptions = [s for handler in handlers for s in handler.subscriptions if s.source == "mqtt"]
        self._numbering = _numbering(subscriptions)
        filters: dict[str, int] = {"#": 1} if self._everything else {}
        for subscription in subscriptions:
            if subscription.topic and not self._everything:
                name = self._prefix + subscription.topic.filter
                filters[name] = max(filters.get(name, 0), subscription.options["qos"])
        self._store.write({self._filters: Write("put", codec.encode(sorted(filters)))})
        self.client.subscribe(filters)

    def leave(self) -> None:
        """Unsubscribe from everything, so that the broker gives what comes to others."""
        self.client.subscribe({})

    def _receive(self, arrived: Sequence[Arrived]) -> int:
        now = datetime.fromtimestamp(self._intake.engine.clock(), UTC).isoformat().replace("+00:00", "Z")
        entries = self._ledger.enter([message for message, _ in arrived])
        return self._intake.submit_all(
            [
                Arrival._make((self._event(message, id_, now), acknowledge, also))
                for (message, acknowledge), (id_, also) in zip(arrived, entries, strict=True)
            ]
        )

    def _event(self, message: Message, assigned: str, now: str) -> Event:
        asking = self._numbering(message.topic)
        id_ = (own_id(message, asking) if asking else None) or assigned
        return to_event(self._recognized(message, self._echoes) if self._echoes else message, id_, self.broker, now)

    def _recognized(self, message: Message, echoes: Echoes) -> Message:
        """The message with the chain it was published with, which the broker did not carry."""
        chain = echoes.chain_of(message, self._intake.engine.clock())
        return message._replace(properties=((CHAIN_PROPERTY, chain),)) if chain else message


def _numbering(subscriptions: Sequence[Subscription]) -> Callable[[str], Sequence[Subscription]]:
    """Which of the subscriptions to a topic say where its devices put ids of their own."""
    asking = [s for s in subscriptions if s.options["id_field"] or s.options["id_property"]]
    return lru_cache(TOPICS)(lambda topic: [s for s in asking if s.topic and s.topic.match(topic) is not None])


def _listen_to_nothing(arrived: Sequence[Arrived]) -> int:
    for _, acknowledge in arrived:
        acknowledge()
    return len(arrived)
