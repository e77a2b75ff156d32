"""The embedded broker comes back, whatever a device did to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from botplatform.effect import Publication
from botplatform.errors import Rejected
from botplatform.hosts.local.broker import EmbeddedBroker
from botplatform.hosts.local.broker_watch import BrokerWatch
from tests.hosts.local.running import log, running
from tests.mosquitto import eventually, publish


def test_after_a_message_that_ends_the_broker_devices_are_heard_again(tmp_path: Path) -> None:
    with running(tmp_path, {}) as platform:
        port = int(platform.mqtt_url.rpartition(":")[2])
        eventually(lambda: platform.devices and platform.devices.client.connected)
        publish(port, "öl/tank", "7", qos=0)
        eventually(lambda: not platform.devices.client.connected)
        eventually(lambda: platform.devices.client.connected, 40)

        publish(port, "oil/tank", "8", qos=1)

        eventually(lambda: [entry for entry in log(platform) if entry["subject"] == "oil/tank"])


def test_a_plugin_is_refused_a_topic_that_would_end_the_broker(tmp_path: Path) -> None:
    with (
        running(tmp_path, {}) as platform,
        pytest.raises(Rejected, match="topic: the embedded broker takes no topic that begins with 'ö'"),
    ):
        platform.publish(Publication("öl/tank", b"7"))


def test_a_broker_that_is_reached_is_left_alone() -> None:
    starts: list[str] = []

    class Broker(EmbeddedBroker):
        def start(self) -> None:
            starts.append("again")

    looks: list[bool] = []

    def connected() -> bool:
        looks.append(True)
        return len(looks) % 4 > 0  # gone for a moment, again and again

    watch = BrokerWatch(Broker(), connected, seconds=0.001)
    watch.start()
    eventually(lambda: len(looks) > 40)
    watch.stop()

    assert not starts
