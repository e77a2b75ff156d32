"""FIFO queues: one group in order, others side by side."""

from __future__ import annotations

import pytest

from tests.handlers import happened
from tests.hosts.worker.plugins import OBEDIENT
from tests.hosts.worker.stage import Stage, settles
from tests.mosquitto import eventually

# An event's id is its group and number.
RECORDER = '''
    """Records events by their group; the first try of every third fails."""

    from pathlib import Path

    from botplatform import Context, Event, Retry, cloudevents


    @cloudevents.event("com.example.happened")
    def record(event: Event, ctx: Context) -> None:
        group, number = event.id.split()
        if int(number) % 3 == 0 and not Path(f"tried {event.id}").exists():
            Path(f"tried {event.id}").touch()
            raise Retry("not at the first time", after=1)
        ctx.state.append(group, int(number))
'''


@pytest.mark.parametrize("workers", [1, 2])
def test_events_of_a_group_are_handled_in_order_even_when_some_fail_at_first(stage: Stage, workers: int) -> None:
    queue = stage.make_queue("ordered", fifo=True, visibility=20)
    stage.plugin("recorder", RECORDER)
    for number in range(6):
        for group in ("a", "b"):
            stage.send(happened(f"{group} {number}"), queue=queue, group=group)
    for _ in range(workers):
        stage.worker(queue=queue)
    eventually(lambda: stage.left(queue) == 0, seconds=40)
    assert stage.state("recorder") == {"a": [*range(6)], "b": [*range(6)]}


def test_a_group_that_waits_holds_up_no_other(stage: Stage) -> None:
    queue = stage.make_queue("ordered", fifo=True, visibility=20)
    stage.plugin("obedient", OBEDIENT)
    stage.worker(queue=queue)
    stage.send(happened("first", data={"until": "open"}), happened("second", data={}), queue=queue, group="a")
    stage.send(happened("other", data={}), queue=queue, group="b")
    assert settles(lambda: stage.state("obedient") == {"done": ["other"]})
    (stage.folder / "open").touch()
    eventually(lambda: stage.state("obedient") == {"done": ["other", "first", "second"]})


def test_a_dead_letter_of_a_fifo_queue_lets_the_next_of_its_group_go_on(stage: Stage) -> None:
    queue = stage.make_queue("ordered", fifo=True, visibility=20)
    stage.plugin("obedient", OBEDIENT)
    stage.worker(queue=queue)
    stage.send(happened("1", data={"reject": "no"}), happened("2", data={}), queue=queue, group="a")
    eventually(lambda: stage.state("obedient") == {"done": ["2"]} and stage.left(queue) == 0)


def test_what_a_handler_on_a_fifo_queue_emits_goes_there_too(stage: Stage) -> None:
    queue = stage.make_queue("ordered", fifo=True, visibility=20)
    stage.plugin("obedient", OBEDIENT)
    stage.worker(queue=queue)
    stage.send(happened("1", data={"emit": "go on"}), queue=queue, group="a")
    eventually(lambda: stage.state("obedient") == {"done": ["1"], "followed": ["go on"]})
