"""The broker that comes with the platform, for whoever has none: MQTT on this machine only, kept in memory."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from pathlib import Path

from botplatform.errors import BotplatformError, Rejected
from botplatform.hosts.local import broker_process
from botplatform.hosts.mqtt.connection import Connection

HOST = "127.0.0.1"
MAX_PAYLOAD = 256 * 1024
_START_WITHIN = 10.0


class EmbeddedBroker:
    """An MQTT broker in a child process, which ends with this one.

    It has QoS 0 to 2, retained messages, wildcards, shared subscriptions and persistent sessions. Knowing its limits
    (iotcore 0.4, which is rumqttd 0.20):

    - everything is gone when it stops: sessions, queued and retained messages;
    - it redelivers without the DUP flag and under new packet ids, so what was not acknowledged when a connection broke
      becomes new events;
    - it sends a client that has 100 messages to acknowledge nothing more, not even answers to PINGREQ: hence the long
      keepalive of `connection`;
    - it breaks the connection of a client that acknowledges out of order or sends more than `max_payload` bytes;
    - for each filter it keeps about the last 100 MB, so a client that is away for more than that loses the oldest;
    - it delivers with the QoS of the subscription, whatever the QoS of the message;
    - a connection that broke amid the exchange of a message of QoS 2 never gets over it: so we publish with QoS 1;
    - a message with properties, delivered to a client that speaks 3.1.1, ends its listener for 3.1.1: we send none;
    - a message whose topic begins with a character beyond ASCII ends it: we send none (`check`), and `BrokerWatch`
      starts it anew after one of somebody else;
    - there are no passwords and no ACLs;
    - MQTT 3.1.1 and MQTT 5 each have a port of their own; their clients see each other.
    """

    def __init__(self, port: int = 0, mqtt5_port: int = 0, max_payload: int = MAX_PAYLOAD) -> None:
        """`port` is for MQTT 3.1.1 (what `mosquitto_pub -p PORT` speaks), `mqtt5_port` for 5; 0 takes a free one."""
        ports = _free_ports(2)
        self._ports = (port or ports[0], mqtt5_port or ports[1])
        self._max_payload = max_payload
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where MQTT 3.1.1 clients connect to."""
        return f"mqtt://{HOST}:{self._ports[0]}"

    @property
    def mqtt5_url(self) -> str:
        """Where MQTT 5 clients connect to."""
        return f"mqtt://{HOST}:{self._ports[1]}"

    def connection(self, client_id: str) -> Connection:
        """How our own client connects."""
        return Connection(self.mqtt5_url, client_id, keepalive=3600, max_qos=1, user_properties=False, own=True)

    def check(self, topic: str) -> None:
        """Raise Rejected for a topic that would end it."""
        if not topic[:1].isascii():
            raise Rejected(f"the embedded broker takes no topic that begins with {topic[0]!r}", "topic")

    def start(self) -> None:
        """Return once it listens; raises BotplatformError when a port is in use or it does not start."""
        for port in self._ports:
            _refuse_in_use(port)
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder, "rumqttd.toml")
            config.write_text(self._config())
            self._process = broker_process.spawn(str(config))
            try:
                self._wait_until_it_listens(self._process)
            except BotplatformError:
                self.stop()
                raise

    def stop(self) -> None:
        """End the child process and free the ports; nothing to do when it does not run."""
        if self._process is not None:
            broker_process.end(self._process)
            self._process = None

    def _wait_until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while not all(map(_answers, self._ports)):
            if process.poll() is not None:
                raise BotplatformError(f"the broker cannot start: its process ended with {process.returncode}")
            if time.monotonic() > deadline:
                raise BotplatformError(f"the broker cannot start: {self.url} takes no connection")
            time.sleep(0.02)

    def _config(self) -> str:
        return _ROUTER + self._listener("v4", self._ports[0]) + self._listener("v5", self._ports[1])

    def _listener(self, protocol: str, port: int) -> str:
        return _LISTENER.format(protocol=protocol, address=f"{HOST}:{port}", max_payload=self._max_payload)


# In rumqttd's own words; a filter keeps max_segment_count * max_segment_size bytes, and the rest is as in its sample.
_ROUTER = """
id = 0

[router]
id = 0
max_connections = 10000
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
"""

_LISTENER = """
[{protocol}.1]
name = "{protocol}"
listen = "{address}"
next_connection_delay_ms = 1

[{protocol}.1.connections]
connection_timeout_ms = 60000
max_payload_size = {max_payload}
max_inflight_count = 100
dynamic_filters = true
"""


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on now; all are held until the last is found, so that they differ."""
    listeners = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _refuse_in_use(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise BotplatformError(
            f"the broker cannot start: {HOST}:{port} is in use; stop what listens there, set MQTT_PORT to another "
            "port, or MQTT_URL to use that broker"
        ) from error


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 0.2).close()
    except OSError:
        return False
    return True
