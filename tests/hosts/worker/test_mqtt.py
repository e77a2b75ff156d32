"""Workers that share the messages of a broker."""

from __future__ import annotations

from signal import SIGTERM

import pytest

from tests.hosts.worker.amazon import Mishap
from tests.hosts.worker.stage import Stage, WorkerProcess
from tests.mosquitto import Mosquitto, eventually

READINGS = '''
    """Counts readings; a reading of `wait` waits until the test has written a file, `fail` fails until then."""

    import time
    from pathlib import Path

    from botplatform import Context, Event, mqtt

    USES = ["publish"]


    @mqtt.topic("sensors/{room}")
    def count(event: Event, ctx: Context) -> None:
        Path(f"began {event.data} {time.monotonic_ns()}").touch()
        if event.data == "fail" and not Path("open").exists():
            raise RuntimeError("the gate is closed")
        while event.data == "wait" and not Path("open").exists():
            time.sleep(0.02)
        ctx.state.append("readings", event.data)
        ctx.state.add(str(event.data))


    @mqtt.topic("echo/{room}")
    def echo(event: Event, ctx: Context) -> None:
        ctx.publish(f"sensors/{ctx.params['room']}", event.data)
'''


@pytest.fixture
def broker(stage: Stage, mosquitto: Mosquitto) -> Mosquitto:
    stage.plugin("readings", READINGS)
    return mosquitto


def listening(stage: Stage, broker: Mosquitto, name: str, **settings: str) -> WorkerProcess:
    """A worker that has subscribed by now: the broker acknowledges it in its log."""
    worker = stage.worker(MQTT_URL=broker.url, MQTT_CLIENT_ID=name, **settings)
    eventually(lambda: f"Sending SUBACK to {name}" in (stage.folder / "mosquitto.log").read_text())
    return worker


def test_each_message_goes_to_one_of_the_workers(stage: Stage, broker: Mosquitto) -> None:
    workers = [listening(stage, broker, name) for name in ("one", "two")]
    broker.publish("sensors/kitchen", *map(str, range(20)))
    eventually(lambda: len(stage.state("readings").get("readings", [])) == 20)
    assert sorted(stage.state("readings")["readings"]) == [*range(20)]
    eventually(lambda: [len(worker.entries()) for worker in workers] == [10, 10])


def test_a_message_is_acknowledged_only_after_its_commit(stage: Stage, broker: Mosquitto) -> None:
    first = listening(stage, broker, "one")
    broker.publish("sensors/kitchen", '"wait"')
    eventually(lambda: [*stage.folder.glob("began wait *")])
    first.kill()
    (stage.folder / "open").touch()
    listening(stage, broker, "one")
    eventually(lambda: stage.state("readings").get("wait") == 1)


def test_a_message_that_comes_again_after_its_commit_is_known(stage: Stage, broker: Mosquitto) -> None:
    first = listening(stage, broker, "one")
    stage.amazon.happens("TransactWriteItems", Mishap(after=first.kill))
    broker.publish("sensors/kitchen", "1")
    eventually(lambda: not first.alive())
    second = listening(stage, broker, "one")
    eventually(lambda: [entry["handlers"][0]["again"] for entry in second.entries()] == [True])
    assert stage.state("readings") == {"1": 1, "readings": [1]}


def test_messages_that_come_together_are_remembered_each_by_itself(stage: Stage, broker: Mosquitto) -> None:
    """What several commits write at the same time, DynamoDB refuses."""
    listening(stage, broker, "one").kill()
    broker.publish("sensors/kitchen", *map(str, range(10)))
    listening(stage, broker, "one")
    eventually(lambda: len(stage.state("readings").get("readings", [])) == 10)
    assert {len(row) for row in stage.state("@mqtt.deliveries one").values()} == {1}


def test_what_fails_goes_to_the_queue_and_is_tried_again_from_there(stage: Stage, broker: Mosquitto) -> None:
    listening(stage, broker, "one")
    broker.publish("sensors/kitchen", '"fail"')
    eventually(lambda: stage.left() == 1)
    (stage.folder / "open").touch()
    eventually(lambda: stage.state("readings").get("fail") == 1 and stage.left() == 0)


def test_a_worker_that_leaves_is_given_no_more_messages(stage: Stage, broker: Mosquitto) -> None:
    first = listening(stage, broker, "one")
    listening(stage, broker, "two")
    assert first.end(SIGTERM) == 0
    broker.publish("sensors/kitchen", *map(str, range(10)))
    eventually(lambda: len(stage.state("readings").get("readings", [])) == 10)


def test_what_a_handler_publishes_goes_through_the_broker(stage: Stage, broker: Mosquitto) -> None:
    listening(stage, broker, "one")
    broker.publish("echo/kitchen", "7")
    eventually(lambda: stage.state("readings").get("7") == 1)


def test_what_is_remembered_of_messages_makes_room_when_the_broker_knows(stage: Stage, broker: Mosquitto) -> None:
    listening(stage, broker, "one")
    broker.publish("sensors/kitchen", *map(str, range(5)))
    eventually(lambda: stage.state("@mqtt").get("deliveries one") == [4, []])
    rows = [*stage.state("@mqtt.deliveries one")]
    broker.publish("sensors/kitchen", *map(str, range(5, 10)))
    eventually(lambda: len(stage.state("readings").get("readings", [])) == 10)
    assert [*stage.state("@mqtt.deliveries one")] == rows
    assert "filters one" in stage.state("@mqtt")
