"""Brokers and MQTT clients that are stopped when a test ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from botplatform.hosts.mqtt.client import Connection, MqttClient
from tests.hosts.mqtt.clients import Connect, MakeBroker, subscribed
from tests.mosquitto import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[MakeBroker]:
    with ExitStack() as running:

        def make(*lines: str, scheme: str = "mqtt") -> Mosquitto:
            mosquitto = Mosquitto(tmp_path, lines, scheme)
            running.callback(mosquitto.stop)
            mosquitto.start()
            return mosquitto

        yield make


@pytest.fixture
def mosquitto(broker: MakeBroker) -> Mosquitto:
    """A running broker that lets everybody in."""
    return broker()


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as running:

        def connect(
            connection: Connection, receive: Any, filters: Mapping[str, int] | None = None, **options: Any
        ) -> MqttClient:
            client = MqttClient(connection, receive, wait=lambda _failures, _luck: 0.05, **options)
            client.subscribe(filters or {})
            client.start()
            running.callback(client.stop)
            if filters:
                subscribed(client)
            return client

        yield connect
