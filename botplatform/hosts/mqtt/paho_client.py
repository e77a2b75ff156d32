"""paho, set up the way our MQTT client needs it: no threads of its own, acknowledgements left to us, pings visible."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from botplatform.effect import CHAIN_PROPERTY, Publication
from botplatform.errors import Rejected, Retry
from botplatform.hosts.mqtt.connection import Connection
from botplatform.hosts.mqtt.exchanges import FIRST_ID
from botplatform.hosts.mqtt.packets import Malformed, Packet, Packets
from botplatform.sources.mqtt.message import Message

SESSION_SECONDS: Final = 7 * 24 * 3600  # how long a broker keeps what arrives while we are away
_ANSWERS = {int(kind): kind for kind in (MessageType.PUBACK, MessageType.PUBREC, MessageType.PUBCOMP)}
_FAILURE = 0x80  # MQTT 5.0, 2.4: the reason codes from here on
_AT_ONCE = 256 * 1024  # bytes: paho would ask the system for each packet three times
_HEAR_OUT = 1.0  # seconds that a broker has to hang up after our farewell
# MQTT 5.0, 3.4 and 3.7, by QoS: an acknowledgement that says that all is well, but for its packet id.
_ACKNOWLEDGED_BY = {1: 0x4002_0000, 2: 0x7002_0000}


class Paho(paho.Client):
    """A paho client for a persistent session, driven by its owner: `open`, then `loop` until it fails.

    `on_messages` is called with the messages that one look at the connection brought, in their order. `on_ping` is
    called before a PINGREQ is queued and `on_pong` when its answer is here, `on_answer` when the broker says that it
    has a message: with the packet's type and id, and why it refuses it, if it does. `leaving` says that this connection
    ends with a farewell. What is overridden for these, and what writes packets, are methods that paho keeps to itself;
    a test fails should they be renamed.
    """

    on_messages: Callable[[list[Message]], None]
    on_ping: Callable[[], None]
    on_pong: Callable[[], None]
    on_answer: Callable[[tuple[MessageType, int], str], None]

    def __init__(self, connection: Connection, receive_maximum: int) -> None:
        newest = connection.version == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=connection.client_id,
            clean_session=None if newest else False,
            protocol=paho.MQTTv5 if newest else paho.MQTTv311,
            manual_ack=True,
        )
        self._connection = connection
        self.username_pw_set(connection.username, connection.password)
        self._trusted = connection.ca_file or "the authorities this machine trusts"
        if (context := connection.tls()) is not None:
            self.tls_set_context(context)
        self.complaints = _Complaints()
        self.enable_logger(self.complaints)
        # With this set, paho leaves writing to the thread that calls `loop` (and wakes it): others only queue packets.
        self.on_socket_register_write = lambda *_: None
        self.on_socket_open = _send_at_once
        self.on_socket_close = self._hear_out
        self.leaving = False
        self.on_message = lambda _client, _data, arrived: self.on_messages([message_of(arrived)])
        self._packets = Packets(newest)
        properties = _session(receive_maximum) if newest else None
        self.connect_async(
            connection.host, connection.port, connection.keepalive, clean_start=False, properties=properties
        )

    def open(self) -> str:
        """Connect and ask to be let in; returns why that could not be, or nothing."""
        self.complaints.last, self.leaving = "", False
        self._packets = Packets(self.protocol == paho.MQTTv5)
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

    def wake(self) -> None:
        """Have `loop` return soon; from any thread."""
        if self._sockpairW is not None:
            with suppress(OSError):  # it is awake already, or the connection ends
                self._sockpairW.send(b"0")

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages of QoS 1 and 2, in this order, and send all that waits to be sent."""
        packets = [_ACKNOWLEDGED_BY[message.qos] | message.packet_id for message in messages]
        self._packet_queue(MessageType.PUBACK, struct.pack(f"!{len(packets)}I", *packets), 0, 1)
        self.loop_write()

    def say_farewell(self) -> None:
        """Say farewell after all that waits to be sent; nothing to do without a connection."""
        self.leaving = True
        self.disconnect()

    def ping(self) -> None:
        """Send a PINGREQ now."""
        self._send_pingreq()

    def next_id(self) -> int:
        """A packet id for what ends with the connection: subscribing, and messages that are not of QoS 2."""
        return self._mid_generate()

    def check(self, topic: str) -> None:
        """Raise Rejected for what is no topic to publish to."""
        try:
            self._raise_for_invalid_topic(topic.encode())
        except ValueError as error:
            raise Rejected(f"{topic!r} cannot be published to: {error}") from error

    def send(self, packet_id: int, message: Publication, qos: int, again: bool = False) -> None:
        """Send a PUBLISH to a topic that was checked, with DUP if the broker may have it; raises Retry if it cannot."""
        topic, properties = message.topic.encode(), self._properties(message)
        info = paho.MQTTMessageInfo(packet_id)
        self._sent(self._send_publish(packet_id, topic, message.payload, qos, message.retain, again, info, properties))

    def release(self, packet_id: int) -> None:
        """Send a PUBREL; raises Retry without a connection."""
        self._sent(self._send_pubrel(packet_id))

    def hang_up(self) -> None:
        """End the connection without a word; nothing to do without one."""
        connection = self.socket()
        if isinstance(connection, socket.socket):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _hear_out(self, _client: object, _data: object, connection: Any) -> None:
        """After a farewell, wait until the broker hangs up, too: then it has read all that we sent.

        Who came back sooner would have Mosquitto drop what it has not read of the connection before.
        """
        if not self.leaving:
            return
        end = time.monotonic() + _HEAR_OUT
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            while (left := end - time.monotonic()) > 0:
                connection.settimeout(left)
                if not connection.recv(_AT_ONCE):
                    return

    def _send_pingreq(self) -> MQTTErrorCode:
        self.on_ping()
        return super()._send_pingreq()

    def _handle_pingresp(self) -> MQTTErrorCode:
        result = super()._handle_pingresp()
        self.on_pong()
        return result

    def _mid_generate(self) -> int:
        while (packet_id := super()._mid_generate()) >= FIRST_ID:
            pass
        return packet_id

    def _packet_read(self) -> MQTTErrorCode:
        """Read what there is, not a packet byte by byte, and deal with all packets that are whole."""
        try:
            content = self._sock_recv(_AT_ONCE)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError as error:
            self.complaints.last = f"failed to receive on socket: {error}"
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        self._last_bytes_received = time.monotonic()
        return self._deal_with(content) if content else MQTTErrorCode.MQTT_ERR_CONN_LOST

    def _deal_with(self, content: bytes) -> MQTTErrorCode:
        for came in self._packets.read(content):
            if isinstance(came, list):
                self.on_messages(came)
                continue
            result = self._refuse(came) if isinstance(came, Malformed) else self._hand_over(came)
            if result != MQTTErrorCode.MQTT_ERR_SUCCESS or self._sock is None:
                return result
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _hand_over(self, packet: Packet) -> MQTTErrorCode:
        """Let paho deal with a packet."""
        content = bytearray(packet.content)
        self._in_packet |= {"command": packet.first, "packet": content, "remaining_length": len(content), "pos": 0}
        try:
            return self._packet_handle()
        except MalformedPacket as error:
            return self._refuse(Malformed(str(error)))

    def _refuse(self, malformed: Malformed) -> MQTTErrorCode:
        self.complaints.last = f"it sent what is no MQTT: {malformed.reason}"
        return MQTTErrorCode.MQTT_ERR_PROTOCOL

    def _packet_handle(self) -> MQTTErrorCode:
        kind, packet = self._in_packet["command"] & 0xF0, self._in_packet["packet"]
        if kind not in _ANSWERS or len(packet) < 2:
            return super()._packet_handle()
        code = packet[2] if len(packet) > 2 else 0  # MQTT 5.0, 3.4.2.1: it may be left out when it is 0
        refusal = _reason(kind, code) if code >= _FAILURE else ""
        self.on_answer((_ANSWERS[kind], int.from_bytes(packet[:2])), refusal)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _properties(self, message: Publication) -> Properties | None:
        if not message.chain or not self._connection.carries_properties:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.UserProperty = (CHAIN_PROPERTY, message.chain)
        return properties

    def _sent(self, result: MQTTErrorCode) -> None:
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Retry(f"{self._connection.address} cannot be sent to: {paho.error_string(result)}")


def _reason(kind: int, code: int) -> str:
    """What a reason code means in the answer to a packet; raises MalformedPacket for one that MQTT does not know."""
    try:
        return str(ReasonCode(kind >> 4, identifier=code))
    except KeyError:
        raise MalformedPacket(f"there is no reason code {code}") from None


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
