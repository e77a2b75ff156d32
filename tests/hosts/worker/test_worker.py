"""What becomes of messages, with workers as processes on real queues and a real table."""

from __future__ import annotations

import json

from tests.handlers import happened
from tests.hosts.worker.plugins import COUNTER, OBEDIENT, TICKER
from tests.hosts.worker.stage import Stage, settles
from tests.mosquitto import eventually


def test_an_event_on_the_queue_is_handled_once_and_its_message_deleted(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    worker = stage.worker()
    stage.send(happened("1"))
    eventually(lambda: stage.state("counter") == {"count": 1, "ids": ["1"]})
    eventually(lambda: stage.left() == 0 and worker.entries())
    [entry] = worker.entries()
    assert (entry["verdict"], entry["id"], entry["handlers"][0]["status"]) == ("accepted", "1", "done")


def test_an_event_sent_twice_is_handled_once_whoever_takes_it(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    workers = [stage.worker(), stage.worker()]
    events = [happened(str(number)) for number in range(20)]
    stage.send(*events, *events)
    eventually(lambda: stage.left() == 0)
    assert stage.state("counter")["count"] == 20
    assert sorted(stage.state("counter")["ids"]) == sorted(event.id for event in events)
    eventually(lambda: sum(len(worker.entries()) for worker in workers) >= 40)


def test_what_a_notification_wraps_is_handled(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    stage.worker()
    message = happened("1").to_json().decode()
    wrapped = {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": message}
    stage.send_text(json.dumps(wrapped))
    eventually(lambda: stage.state("counter") == {"count": 1, "ids": ["1"]})


def test_an_emitted_event_goes_to_the_queue_and_is_handled_from_there(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    stage.worker()
    stage.send(happened("1", data={"emit": "go on"}))
    eventually(lambda: stage.state("obedient") == {"done": ["1"], "followed": ["go on"]})


def test_a_text_goes_out_once(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    stage.worker()
    event = happened("1", data={"text": "hello"})
    stage.send(event, event)
    eventually(lambda: stage.left() == 0)
    assert stage.amazon.calls["Publish"] == 1


def test_an_event_nobody_listens_to_is_logged_and_deleted(stage: Stage) -> None:
    worker = stage.worker()
    stage.send(happened("1"))
    eventually(lambda: worker.entries() and stage.left() == 0)
    assert worker.entries()[0]["verdict"] == "unmatched"


def test_ticks_of_every_worker_count_once(stage: Stage) -> None:
    stage.plugin("ticker", TICKER)
    stage.missed("ticker.hour rate(1 hour) UTC", hours=3)
    for _ in range(2):
        stage.worker()
    assert settles(lambda: len(stage.state("ticker").get("hours", [])) == 3 and stage.left() == 0)
    assert len(set(stage.state("ticker")["hours"])) == 3


def test_a_worker_takes_no_more_messages_than_it_has_threads_for(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    stage.worker("--threads", "2")
    stage.send(*(happened(str(number), data={"until": "open"}) for number in range(20)))
    eventually(lambda: len([*stage.folder.glob("began *")]) == 2)
    attributes = ["ApproximateNumberOfMessagesNotVisible"]
    found = stage.sqs.get_queue_attributes(QueueUrl=stage.queue, AttributeNames=attributes)["Attributes"]
    assert int(found[attributes[0]]) <= 4  # two threads ask at once, each for as many as there is room for
    (stage.folder / "open").touch()
    eventually(lambda: len(stage.state("obedient").get("done", [])) == 20)


def test_what_was_done_is_counted(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    worker = stage.worker()
    stage.send(happened("1", data={}), happened("2", data={"reject": "no"}))
    stage.send_text("rubbish")
    eventually(lambda: stage.left() == 0)
    assert worker.end() == 0
    wanted = {"handled": 1, "dead": 1, "rejected": 1, "failed": 0, "unmatched": 0, "in_flight": 0}
    assert worker.counts() == wanted
