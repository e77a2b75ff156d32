"""What becomes of messages that cannot be handled, or not yet."""

from __future__ import annotations

import base64
import time

import pytest

from tests.handlers import happened
from tests.hosts.worker.amazon import THROTTLED, Mishap
from tests.hosts.worker.plugins import COUNTER, OBEDIENT
from tests.hosts.worker.stage import Stage, settles
from tests.mosquitto import eventually

# Fails until the test has written a file.
FAILING = '''
    """Fails until the gate is open."""

    from pathlib import Path

    from botplatform import Context, Event, cloudevents


    @cloudevents.event("com.example.happened")
    def fail(event: Event, ctx: Context) -> None:
        if not Path("open").exists():
            raise RuntimeError("the gate is closed")
        ctx.state.append("done", event.id)
'''


def began(stage: Stage, id: str) -> int:
    """How often the handler that does as told was started for an event."""
    return len([*stage.folder.glob(f"began {id} *")])


def test_one_handler_that_fails_keeps_no_other_from_it_and_is_tried_again_alone(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    stage.plugin("failing", FAILING)
    worker = stage.worker()
    stage.send(happened("1"))
    eventually(lambda: worker.entries() and stage.state("counter") == {"count": 1, "ids": ["1"]})
    assert stage.left() == 1
    (stage.folder / "open").touch()
    eventually(lambda: stage.state("failing") == {"done": ["1"]} and stage.left() == 0)
    assert stage.state("counter") == {"count": 1, "ids": ["1"]}


def test_what_fails_as_often_as_the_queue_allows_becomes_a_dead_letter_with_its_reason(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    stage.plugin("failing", FAILING)
    worker = stage.worker()
    stage.send(happened("1", data={"secret": "kept whole"}))
    eventually(lambda: stage.left(stage.dead_letters) == 1 and stage.left() == 0)
    [letter] = stage.letters()
    assert (letter["handler"], letter["event"]["data"]) == ("failing.fail", {"secret": "kept whole"})
    assert letter["reason"].startswith("RuntimeError: the gate is closed (")
    statuses = [entry["handlers"][1]["status"] for entry in worker.entries()]
    assert statuses == ["waiting", "waiting", "dead"]


def test_a_dead_letter_that_is_sent_back_is_handled(stage: Stage) -> None:
    stage.plugin("failing", FAILING)
    stage.worker()
    stage.send(happened("1"))
    eventually(lambda: stage.left(stage.dead_letters) == 1)
    (stage.folder / "open").touch()
    [letter] = stage.sqs.receive_message(QueueUrl=stage.dead_letters)["Messages"]
    stage.send_text(letter["Body"])
    eventually(lambda: stage.state("failing") == {"done": ["1"]})


def test_what_a_handler_rejects_becomes_a_dead_letter_at_once(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    stage.worker()
    stage.send(happened("1", data={"reject": "this is not for us"}))
    eventually(lambda: stage.left(stage.dead_letters) == 1 and stage.left() == 0)
    assert stage.letters()[0]["reason"] == "this is not for us"
    assert began(stage, "1") == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("rubbish", "JSON"),
        ('{"nobody": "knows this"}', "no source recognizes this (nobody)"),
        ('{"specversion": "1.0", "id": "1", "source": "/s"}', "type is missing"),
    ],
)
def test_what_is_no_event_becomes_a_dead_letter_at_once_as_it_came(stage: Stage, body: str, reason: str) -> None:
    worker = stage.worker()
    stage.send_text(body)
    eventually(lambda: stage.left(stage.dead_letters) == 1 and stage.left() == 0)
    [letter] = stage.letters()
    assert base64.b64decode(letter["body_base64"]) == body.encode()
    assert reason in letter["reason"]
    assert [entry["verdict"] for entry in worker.entries()] == ["rejected"]


def test_the_good_events_in_a_bad_message_are_handled(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    stage.worker()
    stage.send_text(f'[{happened("1").to_json().decode()}, {{"specversion": "1.0"}}]')
    eventually(lambda: stage.left(stage.dead_letters) == 1 and stage.left() == 0)
    assert stage.state("counter")["ids"] == ["1"]
    assert stage.letters()[0]["reason"] == "$[1].id: id is missing or no text"


def test_a_bad_message_is_one_dead_letter_however_often_its_good_events_are_tried(stage: Stage) -> None:
    stage.plugin("failing", FAILING)
    worker = stage.worker()
    stage.send_text(f'[{happened("1").to_json().decode()}, {{"specversion": "1.0"}}]')
    eventually(worker.entries)
    (stage.folder / "open").touch()
    eventually(lambda: stage.state("failing") == {"done": ["1"]} and stage.left() == 0)
    assert stage.left(stage.dead_letters) == 1


def test_without_dead_letters_what_is_no_event_stays_in_the_queue(stage: Stage) -> None:
    queue = stage.make_queue("plain", attempts=None)
    worker = stage.worker(queue=queue)
    stage.send_text("rubbish", queue=queue)
    eventually(lambda: "no queue for dead letters" in worker.log.read_text())
    assert worker.alive()
    assert stage.left(queue) == 1


def test_a_handler_may_say_when_to_try_again(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    stage.worker()
    stage.send(happened("1", data={"fail": 1, "after": 3}))
    eventually(lambda: began(stage, "1") == 2)
    first, second = sorted(int(path.name.split()[-1]) for path in stage.folder.glob("began 1 *"))
    assert second - first > 2.5e9


def test_a_handler_that_hangs_holds_up_nobody_and_changes_nothing_when_it_comes_back(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    worker = stage.worker("--deadline", "1", "--threads", "1")
    stage.send(happened("stuck", data={"until": "open"}), happened("fine", data={}))
    eventually(lambda: stage.state("obedient") == {"done": ["fine"]})
    eventually(lambda: stage.left(stage.dead_letters) == 1)
    (stage.folder / "open").touch()
    assert settles(lambda: stage.state("obedient") == {"done": ["fine"]})
    assert "it ran for more than 1 s" in stage.letters()[0]["reason"]
    assert worker.alive()


def test_a_handler_that_hangs_again_and_again_is_not_started_any_more(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    worker = stage.worker("--deadline", "1", "--threads", "1")
    stage.send(*(happened(str(number), data={"until": "open"}) for number in range(5)))
    eventually(lambda: "4 runs of it hang already" in worker.out.read_text())
    assert len([*stage.folder.glob("began *")]) == 4
    assert worker.end() == 0


def test_a_handler_that_takes_longer_than_its_message_is_hidden_runs_once(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    for _ in range(2):
        stage.worker()
    stage.send(happened("1", data={"until": "open"}))
    eventually(lambda: began(stage, "1") == 1)
    time.sleep(6)  # the queue hides a message for 4 seconds
    assert began(stage, "1") == 1
    (stage.folder / "open").touch()
    eventually(lambda: stage.left() == 0)
    assert stage.state("obedient") == {"done": ["1"]}


def test_a_run_whose_message_others_can_see_is_given_up(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    worker = stage.worker()
    failed = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "it ran out"}
    stage.amazon.happens("ChangeMessageVisibilityBatch", Mishap(answer=(200, {"Successful": [], "Failed": [failed]})))
    stage.send(happened("1", data={"until": "open"}))
    eventually(lambda: "visible to others" in worker.log.read_text())
    eventually(lambda: began(stage, "1") == 1)
    assert stage.state("obedient") == {}
    (stage.folder / "open").touch()
    eventually(lambda: stage.state("obedient") == {"done": ["1"]} and stage.left() == 0)
    assert began(stage, "1") == 2


@pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
def test_a_throttled_table_is_waited_for(stage: Stage, operation: str) -> None:
    stage.plugin("counter", COUNTER)
    stage.worker()
    stage.amazon.happens(operation, *3 * [THROTTLED])
    stage.send(happened("1"))
    eventually(lambda: stage.state("counter") == {"count": 1, "ids": ["1"]} and stage.left() == 0)


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessageBatch"])
def test_a_throttled_queue_is_waited_for(stage: Stage, operation: str) -> None:
    stage.plugin("counter", COUNTER)
    stage.worker()
    stage.amazon.happens(operation, *5 * [THROTTLED])
    stage.send(happened("1"))
    eventually(lambda: stage.state("counter") == {"count": 1, "ids": ["1"]} and stage.left() == 0, seconds=40)


def test_a_queue_that_vanishes_stops_nothing_else(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    other = stage.make_queue("other")
    worker = stage.worker("--queue", other)
    stage.sqs.delete_queue(QueueUrl=other)
    eventually(lambda: "nothing can be received" in worker.log.read_text())
    stage.send(happened("1"))
    eventually(lambda: stage.state("counter") == {"count": 1, "ids": ["1"]})
    assert worker.end() == 0
