"""What goes out over MQTT: handed to the broker until it says that it has it, with QoS 2 exactly once."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import Future

from paho.mqtt.client import ConnectFlags
from paho.mqtt.enums import MessageType
from paho.mqtt.properties import Properties

from botplatform.effect import Publication
from botplatform.errors import NotAttempted, Retry, StateUnavailable
from botplatform.hosts.mqtt.connection import Connection
from botplatform.hosts.mqtt.exchanges import Exchange, Exchanges
from botplatform.hosts.mqtt.link import Link
from botplatform.hosts.mqtt.paho_client import Paho

PUBLISH, PUBACK, PUBREC, PUBCOMP = MessageType.PUBLISH, MessageType.PUBACK, MessageType.PUBREC, MessageType.PUBCOMP
# What answers a message, by its QoS; with 0 it is that the packet was written.
_ANSWERED_BY = {0: PUBLISH, 1: PUBACK, 2: PUBREC}
# Brokers that do not say how many messages they take at once take 20 (Mosquitto's max_inflight_messages) or more.
_AT_ONCE = 20


class Publisher:
    """Publishes through a client, from any thread; `exchanges` are those of QoS 2 with this broker.

    paho is left to write packets: what it keeps of messages under way ends with the process, and a broker that is
    offered the same message under another packet id takes it for another one.
    """

    def __init__(self, client: Paho, connection: Connection, exchanges: Exchanges) -> None:
        self._paho = client
        self._connection = connection
        self._exchanges = exchanges
        self._link: Link | None = None
        client.on_answer = self._on_answer
        client.on_publish = lambda _client, _data, packet_id, _reason, _: self._on_answer((PUBLISH, packet_id), "")

    @property
    def connected(self) -> bool:
        """Whether there is a connection to publish through."""
        return self._link is not None

    def connection_made(self, flags: ConnectFlags, properties: Properties | None) -> None:
        """Publish through a new connection from now on; it is what the broker said of it."""
        if not flags.session_present:
            self._exchanges.session_lost()
        max_qos = min(self._connection.max_qos, getattr(properties, "MaximumQoS", 2))
        at_once = min(_AT_ONCE, getattr(properties, "ReceiveMaximum", _AT_ONCE))
        self._link = Link(self._connection.address, max_qos, at_once)

    def connection_broke(self) -> None:
        """Publish nothing until there is a connection again."""
        link, self._link = self._link, None
        if link is not None:
            link.breaks()

    def publish(self, message: Publication, timeout: float) -> None:
        """Return once the broker has the message; see `MqttClient.publish`."""
        self._paho.check(message.topic)
        link = self._link
        if link is None:
            raise NotAttempted(f"there is no connection to {self._connection.address}")
        deadline = Deadline(timeout)
        try:
            with link.turn(timeout):
                self._publish(link, message, deadline)
        except TimeoutError:
            waited = f"took no message on {message.topic} within {timeout:g} s"
            raise Retry(f"{self._connection.address} {waited}") from None
        except StateUnavailable as error:
            raise Retry(str(error)) from error

    def _publish(self, link: Link, message: Publication, deadline: Deadline) -> None:
        qos = min(message.qos, link.max_qos)
        if qos == 2:
            self._exactly_once(link, message, deadline)
            return
        packet_id = self._paho.next_id()
        question = (_ANSWERED_BY[qos], packet_id)
        try:
            refusal = deadline.wait(link.ask(question, lambda: self._paho.send(packet_id, message, qos)))
        finally:
            link.forget(question)
        self._check(message, refusal)

    def _exactly_once(self, link: Link, message: Publication, deadline: Deadline) -> None:
        exchange, again = self._exchanges.begin(message.key or uuid.uuid4().hex)
        packet_id = exchange.packet_id
        if exchange.stage == "begun":
            exchange = self._hand_over(link, message, exchange, again, deadline)
        if exchange.stage == "received":
            released = link.ask((PUBCOMP, packet_id), lambda: self._paho.release(packet_id))
            deadline.wait(released)  # a broker that knows of none has sent its PUBCOMP before: it did not reach us
            self._exchanges.reach("complete", exchange)
        link.forget((PUBREC, packet_id), (PUBCOMP, packet_id))

    def _hand_over(
        self, link: Link, message: Publication, exchange: Exchange, again: bool, deadline: Deadline
    ) -> Exchange:
        packet_id = exchange.packet_id
        question = (PUBREC, packet_id)
        refusal = deadline.wait(link.ask(question, lambda: self._paho.send(packet_id, message, 2, again)))
        if refusal:
            self._exchanges.end(exchange)
            link.forget(question)
        self._check(message, refusal)
        return self._exchanges.reach("received", exchange)

    def _check(self, message: Publication, refusal: str) -> None:
        if refusal:
            raise Retry(f"{self._connection.address} refused a message on {message.topic}: {refusal}")

    def _on_answer(self, question: tuple[MessageType, int], refusal: str) -> None:
        link = self._link
        if link is not None:
            link.answered(question, refusal)


class Deadline:
    """So many seconds from now, for several waits together."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def wait(self, answer: Future[str]) -> str:
        """The answer, or TimeoutError."""
        return answer.result(max(0.0, self._until - time.monotonic()))
