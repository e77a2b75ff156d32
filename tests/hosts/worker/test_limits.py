"""How far a handler may go on a worker, and how many messages of devices a worker takes on."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest

from botplatform.hosts.worker.journal import Journal
from tests.handlers import happened
from tests.hosts.worker.stage import Stage, settles
from tests.hosts.worker.test_mqtt import READINGS, listening
from tests.mosquitto import Mosquitto, eventually

# Hangs until the test has written a file.
LIMITED = '''
    """Keeps to its limits."""

    import time
    from pathlib import Path

    from botplatform import Context, Event, Rejected, Retry, cloudevents


    @cloudevents.event("com.example.happened", {limits})
    def obey(event: Event, ctx: Context) -> None:
        Path(f"began {{event.id}} {{time.monotonic_ns()}}").touch()
        if event.data == "fail":
            raise RuntimeError("no such room")
        while event.data == "hang" and not Path("open").exists():
            time.sleep(0.02)
        ctx.state.append("done", event.id)
'''


def began(stage: Stage) -> int:
    """How often the handler was started."""
    return len([*stage.folder.glob("began *")])


@pytest.mark.parametrize(
    ("limits", "data", "runs", "reason"),
    [
        ("retries=0", "fail", 1, "RuntimeError: no such room"),
        ("retries=1", "fail", 2, "RuntimeError: no such room"),
        ("retries=50", "fail", 3, "RuntimeError: no such room"),  # more than the queue allows
        ('retries=0, deadline="0.2s"', "hang", 1, "it ran for more than 0.2 s"),
    ],
)
def test_what_fails_as_often_as_its_handler_or_the_queue_allows_is_a_dead_letter(
    stage: Stage, limits: str, data: str, runs: int, reason: str
) -> None:
    stage.plugin("limited", LIMITED.format(limits=limits))
    stage.worker()
    stage.send(happened("1", data=data))
    eventually(lambda: stage.left(stage.dead_letters) == 1 and stage.left() == 0)

    [letter] = stage.letters()
    assert (letter["handler"], letter["reason"].startswith(reason)) == ("limited.obey", True)
    assert began(stage) == runs


def test_a_handler_is_given_as_many_messages_at_a_time_as_it_says(stage: Stage) -> None:
    stage.plugin("limited", LIMITED.format(limits="concurrency=2"))
    stage.worker("--threads", "8")
    stage.send(*(happened(str(number), data="hang") for number in range(6)))
    assert settles(lambda: began(stage) == 2)
    (stage.folder / "open").touch()
    eventually(lambda: stage.left() == 0)

    assert sorted(stage.state("limited")["done"]) == [*"012345"]


def test_a_worker_takes_on_no_more_messages_of_devices_than_it_may(stage: Stage, mosquitto: Mosquitto) -> None:
    stage.plugin("readings", READINGS)
    worker = listening(stage, mosquitto, "one", BOTPLATFORM_IN_FLIGHT="2")
    mosquitto.publish("sensors/kitchen", '"wait"', *map(str, range(20)))
    eventually(lambda: [*stage.folder.glob("began wait *")])
    (stage.folder / "open").touch()

    eventually(lambda: len(stage.state("readings").get("readings", [])) == 21)
    assert stage.state("readings")["readings"] == ["wait", *range(20)]
    assert worker.end() == 0
    assert worker.counts()["refused: the limit of in_flight is reached"] > 0


@pytest.mark.parametrize(("asked", "levels"), [({"asked": True}, ["INFO"]), ({}, ["WARNING"])])
def test_a_retry_that_a_handler_asked_for_is_no_warning(
    caplog: pytest.LogCaptureFixture, asked: dict[str, Any], levels: list[str]
) -> None:
    waits = {"handler": "demo.handle", "status": "waiting", "reason": "not yet", **asked}
    with caplog.at_level(logging.INFO):
        Journal(io.StringIO(), every=False).note(
            lambda: {"source": "/tests", "id": "1", "verdict": "accepted", "reason": "", "handlers": [waits]}
        )

    assert [record.levelname for record in caplog.records] == levels
