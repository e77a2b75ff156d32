"""What is left when a worker dies between any two steps: state as if once, and what the next one finishes."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest

from tests.handlers import happened
from tests.hosts.worker.amazon import Mishap
from tests.hosts.worker.plugins import COUNTER, TICKER
from tests.hosts.worker.stage import Stage, WorkerProcess, settles
from tests.mosquitto import eventually

TEXTER = '''
    """Counts what happened, and tells somebody."""

    from botplatform import Context, Event, cloudevents

    USES = ["text"]


    @cloudevents.event("com.example.happened")
    def tell(event: Event, ctx: Context) -> None:
        ctx.state.add("count")
        ctx.text("+15550100", f"{event.id} happened")
'''
EVENTS = 60


def impatient(stage: Stage, queue: str) -> WorkerProcess:
    """A worker that soon finishes what others left."""
    script = Path(__file__).with_name("impatient.py")
    return stage.start([sys.executable, str(script), queue], PYTHONPATH=str(script.parents[3])).started()


# Each step is a request: a worker that dies before it has done all that comes earlier, one that dies after it did it
# and does not know. What is sent twice is so only where a worker dies after the service took it and before the mark.
@pytest.mark.parametrize(
    ("step", "moment", "texts"),
    [
        ("ReceiveMessage", "after", 1),
        ("GetItem", "before", 1),
        ("TransactWriteItems", "before", 1),
        ("TransactWriteItems", "after", 1),
        ("Publish", "before", 1),
        ("Publish", "after", 2),
        ("PutItem", "before", 2),
        ("PutItem", "after", 1),
        ("DeleteMessageBatch", "before", 1),
        ("DeleteMessageBatch", "after", 1),
    ],
)
def test_a_worker_that_dies_leaves_nothing_undone_and_no_state_done_twice(
    stage: Stage, step: str, moment: str, texts: int
) -> None:
    stage.plugin("texter", TEXTER)
    first = impatient(stage, queue := stage.make_queue("crashing", visibility=2))
    stage.amazon.happens(step, Mishap(**{moment: first.kill}))
    stage.send(happened("1"), queue=queue)
    eventually(lambda: not first.alive())
    impatient(stage, queue)
    assert settles(lambda: stage.left(queue) == 0 and stage.amazon.calls["Publish"] == texts, seconds=2)
    assert stage.state("texter") == {"count": 1}
    assert stage.store.pending() == []


def test_a_tick_whose_worker_died_before_it_was_on_the_queue_is_not_lost(stage: Stage) -> None:
    stage.plugin("ticker", TICKER)
    stage.missed("ticker.hour rate(1 hour) UTC", hours=2)
    started: list[WorkerProcess] = []

    def die() -> None:
        eventually(lambda: started)
        started[0].kill()

    stage.amazon.happens("SendMessage", Mishap(before=die))
    started.append(stage.worker())
    eventually(lambda: not started[0].alive())
    stage.worker()
    eventually(lambda: len(stage.state("ticker").get("hours", [])) == 2)


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_counted_twice_however_often_workers_are_killed(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    queue = stage.make_queue("killed", attempts=None)
    stage.send(*(happened(str(number), data=number) for number in range(EVENTS)), queue=queue)
    for _ in range(4):
        worker = stage.worker("--threads", "4", queue=queue)
        time.sleep(random.uniform(0, 0.5))
        worker.kill()
    stage.worker(queue=queue)
    eventually(lambda: stage.left(queue) == 0 and stage.state("counter").get("count", 0) >= EVENTS, seconds=180)
    assert stage.state("counter")["count"] == EVENTS
    assert sorted(map(int, stage.state("counter")["ids"])) == list(range(EVENTS))
