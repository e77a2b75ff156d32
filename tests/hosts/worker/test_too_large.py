"""An event that no queue takes is no reason to try for ever."""

from __future__ import annotations

from tests.hosts.worker.stage import Stage
from tests.hosts.worker.test_mqtt import listening
from tests.mosquitto import Mosquitto, eventually

FAILING = '''
    """Cannot do anything with readings."""

    from botplatform import Event, mqtt


    @mqtt.topic("sensors/{room}", payload="raw")
    def fail(event: Event) -> None:
        raise RuntimeError("the gate is closed")
'''
# Amazon SQS, "Message quotas": 1 MiB.
TOO_LARGE = 1_100_000


def test_a_message_of_a_device_that_fails_and_is_too_large_for_the_queue_becomes_a_dead_letter(
    stage: Stage, mosquitto: Mosquitto
) -> None:
    stage.plugin("failing", FAILING)
    worker = listening(stage, mosquitto, "one")
    mosquitto.publish("sensors/attic", "x" * TOO_LARGE)
    eventually(lambda: stage.left(stage.dead_letters) == 1, seconds=30)

    [letter] = stage.letters()
    assert letter["handler"] == "failing.fail"
    assert letter["attributes"]["subject"] == "sensors/attic"
    assert "data" not in letter["attributes"]
    assert letter["reason"].startswith("RuntimeError: the gate is closed")
    assert "does not take it" in letter["reason"]
    assert "is not kept" in letter["reason"]
    eventually(lambda: '"status":"dead"' in worker.out.read_text(), seconds=30)
    assert worker.alive()
