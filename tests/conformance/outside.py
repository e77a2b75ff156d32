"""The world outside of a stage: devices that listen to what they are told."""

from __future__ import annotations

import logging

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.mosquitto import eventually


class Devices:
    """Listens to what plugins publish, at a broker that takes anybody."""

    def __init__(self, port: int, websocket_host: str = "") -> None:
        """`websocket_host` is the name by which one that speaks MQTT over WebSocket is asked for."""
        self._heard: list[tuple[str, str]] = []
        self._client = Client(CallbackAPIVersion.VERSION2, transport="websockets" if websocket_host else "tcp")
        if websocket_host:
            self._client.ws_set_options(headers={"Host": websocket_host})
        self._client.on_message = self._hear
        logging.getLogger("paho.mqtt.client").setLevel(logging.CRITICAL)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        eventually(self._client.is_connected)
        subscribed: list[int] = []
        self._client.on_subscribe = lambda *_: subscribed.append(1)
        self._client.subscribe("locks/+/set", qos=1)
        eventually(lambda: subscribed)

    def heard(self) -> list[tuple[str, str]]:
        """The messages since the last `forget`, as (topic, payload)."""
        return list(self._heard)

    def forget(self) -> None:
        """Forget what was heard."""
        self._heard.clear()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._heard.append((message.topic, message.payload.decode()))
