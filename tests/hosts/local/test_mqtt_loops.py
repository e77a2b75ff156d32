"""Plugins that answer each other over MQTT without end are stopped, whatever the broker can carry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.hosts.local.running import running, state
from tests.hosts.mqtt.clients import MakeBroker, subscribed
from tests.mosquitto import eventually

PING = '''
"""Answers each pong with a ping."""

from botplatform import Context, mqtt

USES = ["publish"]


@mqtt.topic("pong")
def ping(ctx: Context) -> None:
    ctx.state.add("pings")
    ctx.publish("ping", {"and": "you?"}, qos=QOS)
'''
PONG = PING.replace("ping", "pung").replace("pong", "ping").replace("pung", "pong")
CHAIN = " > ".join(["ping.ping", "pong.pong"] * 8)


def players(qos: int) -> Mapping[str, str]:
    return {name: source.replace("QOS", str(qos)) for name, source in (("ping", PING), ("pong", PONG))}


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("broker_of", ["MQTT 5", "MQTT 3.1.1", "embedded"])
def test_two_that_answer_each_other_are_stopped_after_eight_rounds(
    tmp_path: Path, broker: MakeBroker, broker_of: str, qos: int
) -> None:
    where = {} if broker_of == "embedded" else {"MQTT_URL": broker().url, "MQTT_VERSION": broker_of[5:]}
    with running(tmp_path, players(qos), **where) as platform:
        assert platform.devices is not None
        subscribed(platform.devices.client)
        platform.devices.client.publish("pong", b'{"and": "you?"}', qos)
        eventually(platform.store.inbox.dead_letters)
        [letter] = platform.store.inbox.dead_letters()

        assert letter.reason == f"a loop: ping.ping passed 8 times in {CHAIN}"
        assert (state(platform, "ping"), state(platform, "pong")) == ({"pings": 8}, {"pongs": 8})
