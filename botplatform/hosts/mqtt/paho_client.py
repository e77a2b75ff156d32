"""paho, set up the way our MQTT client needs it: no threads of its own, acknowledgements left to us, pings visible."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from botplatform.hosts.mqtt.connection import Connection
from botplatform.sources.mqtt.message import Message

SESSION_SECONDS: Final = 7 * 24 * 3600  # how long a broker keeps what arrives while we are away


class Paho(paho.Client):
    """A paho client for a persistent session, driven by its owner: `open`, then `loop` until it fails.

    `on_ping` is called before a PINGREQ is queued and `on_pong` when its answer is here. These two overrides are of
    methods that paho keeps to itself; a test fails should they be renamed.
    """

    on_ping: Callable[[], None]
    on_pong: Callable[[], None]

    def __init__(self, connection: Connection, receive_maximum: int) -> None:
        newest = connection.version == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=connection.client_id,
            clean_session=None if newest else False,
            protocol=paho.MQTTv5 if newest else paho.MQTTv311,
            manual_ack=True,
        )
        self.username_pw_set(connection.username, connection.password)
        self._trusted = connection.ca_file or "the authorities this machine trusts"
        if (context := connection.tls()) is not None:
            self.tls_set_context(context)
        self.complaints = _Complaints()
        self.enable_logger(self.complaints)
        # With this set, paho leaves writing to the thread that calls `loop` (and wakes it): others only queue packets.
        self.on_socket_register_write = lambda *_: None
        self.on_socket_open = _send_at_once
        properties = _session(receive_maximum) if newest else None
        self.connect_async(
            connection.host, connection.port, connection.keepalive, clean_start=False, properties=properties
        )

    def open(self) -> str:
        """Connect and ask to be let in; returns why that could not be, or nothing."""
        self.complaints.last = ""
        try:
            self.reconnect()
        except ssl.SSLCertVerificationError as error:
            return f"its certificate could not be verified with {self._trusted}: {error.verify_message}"
        except OSError as error:
            return str(error) or repr(error)
        return ""

    def join(self, filters: Mapping[str, int]) -> int | None:
        """Ask to subscribe to filters with their QoS: returns the packet id, None when the connection just broke.

        With MQTT 5, retained messages come with a new subscription only, not with one that is repeated.
        """
        if self.protocol != paho.MQTTv5:
            return self.subscribe(list(filters.items()))[1]
        new = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
        return self.subscribe([(name, SubscribeOptions(qos, retainHandling=new)) for name, qos in filters.items()])[1]

    def leave(self, names: list[str]) -> int | None:
        """Ask to unsubscribe: returns the packet id, None when the connection just broke."""
        return self.unsubscribe(names)[1]

    def ping(self) -> None:
        """Send a PINGREQ now."""
        self._send_pingreq()

    def hang_up(self) -> None:
        """End the connection without a word; nothing to do without one."""
        connection = self.socket()
        if isinstance(connection, socket.socket):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _send_pingreq(self) -> MQTTErrorCode:
        self.on_ping()
        return super()._send_pingreq()

    def _handle_pingresp(self) -> MQTTErrorCode:
        result = super()._handle_pingresp()
        self.on_pong()
        return result


class _Complaints(logging.Logger):
    """Keeps the last error paho logs: what broke a connection it says nowhere else."""

    def __init__(self) -> None:
        super().__init__("paho", logging.ERROR)
        self.last = ""

    def handle(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def _send_at_once(_client: object, _data: object, connection: Any) -> None:
    """Nagle's algorithm would hold small packets back: two messages published in a row took 42 ms instead of 0.8."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def message_of(arrived: paho.MQTTMessage) -> Message:
    """The message paho received, as ours."""
    properties = getattr(arrived.properties, "UserProperty", ())
    payload = bytes(arrived.payload)
    return Message(
        arrived.topic, payload, arrived.qos, arrived.retain, arrived.dup, arrived.mid, tuple(map(tuple, properties))
    )


def _session(receive_maximum: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = SESSION_SECONDS
    properties.ReceiveMaximum = receive_maximum
    return properties
