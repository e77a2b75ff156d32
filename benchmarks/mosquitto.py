"""A real Mosquitto on a free port, and messages for it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

HOST = "127.0.0.1"
_START_WITHIN = 20.0
_TAKE_WITHIN = 60.0
# How many messages a client may have that it did not acknowledge yet; 20 is what Mosquitto would allow by itself.
_IN_FLIGHT = 1000


def binary() -> str | None:
    """Where Mosquitto is, None when it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Run Mosquitto until the end of the block; gives its port for MQTT 3.1.1 and 5."""
    with closing(socket.create_server((HOST, 0))) as listener:
        port: int = listener.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text(_CONFIG.format(port=port, user="user root" if os.geteuid() == 0 else ""))
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen([str(binary()), "-c", config], stdout=log, stderr=log)
    try:
        until_it_listens(port, "mosquitto")
        yield port
    finally:
        process.terminate()
        process.wait()


_CONFIG = f"""listener {{port}} {HOST}
allow_anonymous true
max_inflight_messages {_IN_FLIGHT}
max_queued_messages 0
set_tcp_nodelay true
{{user}}
"""


def publish(port: int, topics: list[str], payload: bytes) -> None:
    """Publish a message to each topic with QoS 1, and return once the broker has them all."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(_IN_FLIGHT)
    client.connect(HOST, port)
    client.loop_start()
    for sent in [client.publish(topic, payload, qos=1) for topic in topics]:
        sent.wait_for_publish(_TAKE_WITHIN)
    client.disconnect()
    client.loop_stop()


def until_it_listens(port: int, name: str) -> None:
    """Return once somebody listens on a port; raises TimeoutError where nobody does within seconds."""
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError(f"{name} does not listen")
