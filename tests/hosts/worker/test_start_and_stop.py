"""How a worker comes up, says so, and leaves."""

from __future__ import annotations

import sys
import time
from signal import SIGINT, SIGTERM

import pytest

from tests.handlers import happened
from tests.hosts.worker.plugins import COUNTER, OBEDIENT
from tests.hosts.worker.stage import Stage
from tests.mosquitto import eventually

WORKER = [sys.executable, "-m", "botplatform", "worker"]


def test_it_says_what_it_does(stage: Stage) -> None:
    stage.plugin("counter", COUNTER)
    log = stage.worker().log.read_text()
    for line in (
        f"queue    {stage.table}-jobs (what fails 3 times goes to {stage.table}-dead)",
        f"table    {stage.table}",
        f"events   that plugins emit go to the queue {stage.table}-jobs",
        "plugins  counter",
    ):
        assert line in log


@pytest.mark.parametrize(
    ("options", "settings", "sentence"),
    [
        (["--queue", "{queue}"], {"BOTPLATFORM_TABLE": ""}, "BOTPLATFORM_TABLE is missing"),
        (["--queue", "{queue}", "--table", "nowhere"], {}, "deploy one, or make one with --create-table"),
        (["--queue", "{queue}-not"], {}, "the queue {table}-jobs-not: "),
        ([], {}, "Missing option '--queue'"),
    ],
)
def test_what_keeps_it_from_starting_is_a_sentence(
    stage: Stage, options: list[str], settings: dict[str, str], sentence: str
) -> None:
    names = {"queue": stage.queue, "table": stage.table}
    worker = stage.start([*WORKER, *(option.format(**names) for option in options)], **settings)
    assert worker.wait() in (1, 2)
    assert sentence.format(**names) in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()


def test_it_makes_the_table_when_asked_to(stage: Stage) -> None:
    for _ in range(2):
        worker = stage.worker("--create-table", "--table", f"{stage.table}-made")
        assert worker.end() == 0


@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_what_runs_is_finished_before_it_leaves(stage: Stage, number: int) -> None:
    stage.plugin("obedient", OBEDIENT)
    worker = stage.worker()
    stage.send(happened("1", data={"until": "open"}))
    eventually(lambda: [*stage.folder.glob("began 1 *")])
    worker.signal(number)
    time.sleep(1)
    assert worker.alive()
    (stage.folder / "open").touch()
    assert worker.wait() == 0
    assert stage.state("obedient") == {"done": ["1"]}
    assert stage.left() == 0


def test_what_was_not_begun_is_given_back_at_once(stage: Stage) -> None:
    queue = stage.make_queue("slow", visibility=600)
    stage.plugin("obedient", OBEDIENT)
    worker = stage.worker("--threads", "1", queue=queue)
    stage.send(happened("1", data={"until": "open"}), happened("2", data={}), queue=queue)
    eventually(lambda: "1" in began(stage) or "2" in stage.state("obedient").get("done", []))
    if "1" not in began(stage):
        eventually(lambda: "1" in began(stage))
    worker.signal(SIGTERM)
    time.sleep(0.5)
    (stage.folder / "open").touch()
    assert worker.wait() == 0
    stage.worker(queue=queue)
    eventually(lambda: sorted(stage.state("obedient")["done"]) == ["1", "2"])


def test_asked_twice_it_leaves_at_once_and_its_event_is_handled_elsewhere(stage: Stage) -> None:
    stage.plugin("obedient", OBEDIENT)
    worker = stage.worker()
    stage.send(happened("1", data={"until": "open"}))
    eventually(lambda: "1" in began(stage))
    worker.signal(SIGINT)
    eventually(lambda: "finishing what runs" in worker.log.read_text())
    worker.signal(SIGINT)
    assert worker.wait() == 130
    (stage.folder / "open").touch()
    stage.worker()
    eventually(lambda: stage.state("obedient") == {"done": ["1"]})


def began(stage: Stage) -> set[str]:
    """The events of which a handler was started."""
    return {path.name.split()[1] for path in stage.folder.glob("began *")}
