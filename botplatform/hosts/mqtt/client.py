"""The MQTT client of hosts: messages in, acknowledged once they are durable, and messages out."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from botplatform.effect import Publication
from botplatform.errors import BotplatformError
from botplatform.hosts.intake import Notes
from botplatform.hosts.mqtt.connection import LONGEST_WAIT, Connection, backoff
from botplatform.hosts.mqtt.exchanges import Exchanges
from botplatform.hosts.mqtt.held import TRY_EVERY, Held, Receive
from botplatform.hosts.mqtt.paho_client import Paho
from botplatform.hosts.mqtt.publisher import Publisher
from botplatform.hosts.mqtt.session import Acknowledgements, Subscriptions
from botplatform.hosts.mqtt.thread import Help, NetworkThread
from botplatform.sources.mqtt.message import Message

__all__ = ["Connection", "MqttClient", "backoff"]

ASK_EVERY: Final = 1.0
LEAVE_WITHIN: Final = 5.0

_log = logging.getLogger(__name__)


class MqttClient:
    """Keeps one persistent session with a broker, through broken connections and restarts on both sides.

    `receive([(message, acknowledge), …])` is called on the network thread with messages in their order, and returns
    how many it has taken, from the first on. `acknowledge` may be called later, from any thread; a second call does
    nothing, and so does one after the connection broke: the broker delivers the message again. Where not all are
    taken, or none, which `receive` may also say with Retry, there is no room: the rest is offered again, and those
    after it are held behind it, of QoS 0 only as many as `receive_maximum`; `on_dropped()` hears of the others. When it
    raises anything else, none of them is acknowledged and the connection is made anew after a while, which makes the
    broker deliver them, and those after them, again. It must not call `publish`, which waits for the network thread.

    `help(take_over)` lends the network thread to whoever has what was received: it may take long, if it calls
    `take_over` then, from another thread, and returns False at last. Meanwhile another thread is the network thread.

    `on_confirmed(packet_ids)` tells whose acknowledgements the broker has (see `Deliveries.confirmed`): it is asked
    with a PINGREQ, each second while there is something to know. `on_session_lost()` comes before the first message of
    a new session. Both run on the network thread. `subscribed` are filters an earlier process may have left in the
    session. `receive_maximum` is how many messages a broker sends before the first is acknowledged; with MQTT 3.1.1 it
    is the broker that decides. `notes` are where messages of QoS 2 on their way out are remembered over restarts.
    `wait(failures, luck)` is how many seconds pass before the next attempt to connect.
    Raises InvalidSettings when a file of certificates cannot be read.
    """

    def __init__(
        self,
        connection: Connection,
        receive: Receive,
        *,
        on_confirmed: Callable[[list[int]], object] = lambda _: None,
        on_session_lost: Callable[[], object] = lambda: None,
        on_dropped: Callable[[], object] = lambda: None,
        help: Help = lambda _: True,
        subscribed: Iterable[str] = (),
        receive_maximum: int = 1000,
        notes: Notes | None = None,
        wait: Callable[[int, float], float] = backoff,
    ) -> None:
        self._connection = connection
        self._held = Held(receive, receive_maximum, on_dropped)
        self._on_confirmed = on_confirmed
        self._on_session_lost = on_session_lost
        self._help = help
        self._wait = wait
        self._lock = threading.Lock()  # for what follows, and for handing its packets to paho in the same order
        self._connected = False
        self._subscriptions = Subscriptions(subscribed)
        # Whatever is not under the lock is the network thread's.
        self._acknowledgements = Acknowledgements(self._wake)
        self._awake = False
        self._why = ""
        self._ask_at = 0.0
        self._reported = logging.INFO, ""
        self._stopping = threading.Event()
        self._thread = NetworkThread(self._run)
        self._paho = self._listen(Paho(connection, receive_maximum))
        self._publisher = Publisher(self._paho, connection, Exchanges(notes, connection.client_id))

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in and the connection holds, as far as we know."""
        return self._publisher.connected

    def start(self) -> None:
        """Connect in the background, and again whenever the connection breaks, until `stop`."""
        self._stopping.clear()
        self._thread.start()

    def stop(self) -> None:
        """Take leave of the broker, which keeps the session; returns when `receive` will not be called any more."""
        self._stopping.set()
        self._paho.wake()
        self._thread.join(LEAVE_WITHIN)
        self._paho.hang_up()
        self._thread.join()

    def subscribe(self, filters: Mapping[str, int]) -> None:
        """Replace the set of subscriptions: valid topic filters and their QoS, now or when there is a connection.

        QoS 2 is asked for as QoS 1. paho would confirm a message of QoS 2 when it arrives, not when it is durable;
        that each counts once is seen to by its event id.
        """
        with self._lock:
            self._subscriptions.want({name: min(qos, 1) for name, qos in filters.items()})
            if self._connected:
                self._synchronize()

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 1,
        retain: bool = False,
        key: str = "",
        chain: str = "",
        timeout: float = 10.0,
    ) -> None:
        """Return once the broker took the message or, with QoS 0, once it is on its way; `timeout` is in seconds.

        Raises Retry when it could not be delivered now. With QoS 1 the broker may have taken it all the same, if its
        answer was lost or late; with QoS 2 it knows a message that comes with the same `key` again, in this process
        or the next one, for as long as it keeps the session. Raises Rejected for what is no topic to publish to.
        """
        self._publisher.publish(Publication(topic, payload, qos, retain, key, chain), timeout)

    def _synchronize(self) -> None:
        for names in self._subscriptions.to_leave():
            self._subscriptions.asked(self._paho.leave(names), names)
        for filters in self._subscriptions.to_join():
            self._subscriptions.asked(self._paho.join(filters), filters)

    def _wake(self) -> None:
        """Have the network thread see what is to be acknowledged: once, however many messages are durable by then."""
        if not self._awake:
            self._awake = True
            self._paho.wake()

    # From here on: the network thread.

    def _run(self, connected: bool) -> None:
        failures = 0
        while connected or not self._stopping.is_set():
            began = time.monotonic()
            why = self._attempt(connected)
            if why is None:
                return  # this is the network thread no more
            connected = False
            failures = 1 if time.monotonic() - began > LONGEST_WAIT else failures + 1
            if not self._stopping.is_set():
                self._report(logging.WARNING, f"no connection to {self._connection.address}: {why}; trying again")
                self._stopping.wait(self._wait(failures, random.random()))
        self._report(logging.INFO, f"disconnected from {self._connection.address}")

    def _attempt(self, connected: bool) -> str | None:
        """Connect, and serve the connection until it ends; returns why it did, None when another thread goes on."""
        try:
            why = (not connected and self._open()) or self._serve()
        except BotplatformError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - whatever `receive` raises must not end this thread
            _log.exception("the connection to %s ends with an error", self._connection.address)
            why = repr(error)
        if why is not None:
            self._close()
        return why

    def _open(self) -> str:
        self._why = ""
        return self._paho.open()

    def _serve(self) -> str | None:
        while self._paho.socket() is not None:
            if self._stopping.is_set() and not self._paho.leaving:
                self._acknowledge()  # nothing is heard after the farewell
                self._paho.say_farewell()
            if self._turn() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
            self._held.go_on()
            if not self._help(partial(self._thread.start, takes_over=True)):
                return None
            self._acknowledge()
            self._ask()
        return self._why or self._paho.complaints.last or "it closed the connection"

    def _turn(self) -> MQTTErrorCode:
        return self._paho.loop(TRY_EVERY if self._held else 1.0)

    def _acknowledge(self) -> None:
        """Acknowledge what is durable by now."""
        self._awake = False  # before the look: what is durable after it wakes us again
        if due := self._acknowledgements.due():
            self._paho.acknowledge(due)
            self._held.acknowledged(len(due))

    def _close(self) -> None:
        """Send the acknowledgements that are due, take leave if it is not too late, and forget the connection."""
        self._acknowledge()
        self._paho.say_farewell()
        self._paho.loop_write()
        self._held.connection_broke()
        self._acknowledgements = Acknowledgements(self._wake)
        with self._lock:
            self._connected = False
        self._publisher.connection_broke()
        self._paho.hang_up()

    def _ask(self) -> None:
        now = time.monotonic()
        if now >= self._ask_at and self._acknowledgements.worth_asking:
            self._ask_at = now + ASK_EVERY
            self._paho.ping()

    def _report(self, level: int, state: str) -> None:
        before, self._reported = self._reported, (level, state)
        if before != self._reported:
            news = max(level, before[0]) > logging.INFO or not self._connection.own
            _log.log(level if news else logging.DEBUG, state)

    # What paho calls.

    def _listen(self, client: Paho) -> Paho:
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_messages = self._on_messages
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_subscribe
        client.on_ping = self._on_ping
        client.on_pong = self._on_pong
        return client

    def _on_connect(
        self,
        _client: object,
        _data: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._why = f"it refused the connection: {reason}"
            return
        if not flags.session_present:
            self._on_session_lost()
        with self._lock:
            self._connected = True
            self._subscriptions.connected(flags.session_present)
            self._synchronize()
        self._publisher.connection_made(flags, properties)
        self._report(logging.INFO, f"connected to {self._connection.address}")

    def _on_disconnect(
        self, _client: object, _data: object, flags: paho.DisconnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        if flags.is_disconnect_packet_from_server or reason == "Keep alive timeout":
            self._why = self._why or f"it ended: {reason}"

    def _on_messages(self, messages: list[Message]) -> None:
        self._held.receive([*zip(messages, self._acknowledgements.received(messages), strict=True)])

    def _on_subscribe(
        self, _client: object, _data: object, packet_id: int, reasons: list[ReasonCode], _more: object
    ) -> None:
        with self._lock:
            refused = self._subscriptions.answered(packet_id, [reason.is_failure for reason in reasons])
        if refused:
            _log.warning(
                "%s refused to subscribe us to, or to unsubscribe us from, %s",
                self._connection.address,
                ", ".join(refused),
            )

    def _on_ping(self) -> None:
        self._acknowledgements.asked()

    def _on_pong(self) -> None:
        if confirmed := self._acknowledgements.answered():
            self._on_confirmed(confirmed)
