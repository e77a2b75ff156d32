"""Functions that die of any of their requests to AWS, at their deadline, or that are called twice at once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from botplatform import Event
from botplatform.hosts.aws_lambda.calls import SWEEP
from botplatform.hosts.aws_lambda.loading import PACKAGE
from tests.conftest import ROOT
from tests.faults.cloud import NEVER, POINTS, TELLER, Ledger, Point
from tests.faults.report import Report
from tests.handlers import happened
from tests.hosts.worker.stage import Stage
from tests.mosquitto import eventually

BATCH = 3
# A function's clock is that far ahead of the one before it: what a dead one was about to do is not left to it any more.
APART = 1000
# Waits until the test has written a file; the state says who came so far.
SLOW = '''
    """Takes its time."""

    import time
    from pathlib import Path

    from botplatform import Context, Event, cloudevents


    @cloudevents.event("com.example.happened")
    def wait(event: Event, ctx: Context) -> None:
        Path("began").touch()
        while not Path("open").exists():
            time.sleep(0.01)
        ctx.state.add("count")
'''


class Instance:
    """One process of a function, which is given one call after the other."""

    def __init__(self, folder: Path, environment: dict[str, str], dies: Point, ahead: int) -> None:
        nth = str(random.randint(1, dies.nths))
        command = [sys.executable, "-m", "tests.faults.mortal", dies.operation, dies.moment, nth]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "function", str(ahead)],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def call(self, value: Any) -> Any:
        """What it answers; None when it died of the call."""
        process = self._process
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(f"{json.dumps(value)}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline() or "null")
        except BrokenPipeError:
            return None

    def kill(self) -> None:
        """End it, wherever it is."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe and pipe.close()


Start = Callable[..., Instance]


@pytest.fixture
def start(cloud: Stage) -> Iterator[Start]:
    """Starts an instance of the function that has these plugins, by name; it dies at a point."""
    instances: list[Instance] = []
    folder = cloud.folder / PACKAGE
    folder.mkdir()

    def start(dies: Point = NEVER, ahead: int = 0, **plugins: str) -> Instance:
        for name, source in plugins.items():
            (folder / f"{name}.py").write_text(dedent(source).lstrip())
        what = {"BOTPLATFORM_LOAD": ",".join(plugins), "BOTPLATFORM_SOURCES": "cloudevents"}
        where = {"BOTPLATFORM_TABLE": cloud.table, "PYTHONPATH": f"{ROOT}:{cloud.folder}"}
        environment = {**cloud.amazon.settings, **what, **where, "BOTPLATFORM_EFFECTS": "text"}
        instances.append(Instance(cloud.folder, environment, dies, ahead))
        return instances[-1]

    yield start
    for instance in instances:
        instance.kill()


def envelope(event: Event) -> dict[str, Any]:
    """An event as an asynchronous call brings it."""
    return dict(json.loads(event.to_json()))


def batch(events: list[Event]) -> dict[str, Any]:
    """Events as SQS brings them."""
    return {
        "Records": [
            {"eventSource": "aws:sqs", "messageId": event.id, "body": event.to_json().decode()} for event in events
        ]
    }


def is_success(answer: Any) -> bool:
    """Whether Lambda would be content: no record of a batch failed, and the call neither."""
    return "result" in answer and not answer["result"].get("batchItemFailures")


@pytest.mark.timeout(900)
def test_a_function_may_die_of_any_of_its_requests_and_its_batches_come_again_whole(
    start: Start, cloud: Stage, fault_runs: int, fault_report: Report
) -> None:
    ledger = Ledger(cloud)
    waiting: list[Any] = []
    for number, point in enumerate(islice(cycle(POINTS), fault_runs)):
        instance = start(point, number * APART, teller=TELLER)
        call = SWEEP
        while (answer := instance.call(call)) is not None:
            assert is_success(answer)
            call = waiting.pop() if waiting else batch(ledger.next(BATCH))
        if call != SWEEP:
            waiting.append(call)
        ledger.died(point)
    survivor, began = start(ahead=fault_runs * APART, teller=TELLER), time.monotonic()
    assert all(is_success(survivor.call(call)) for call in (*waiting, SWEEP))
    eventually(ledger.settled)
    whole = ledger.fault("function dies anywhere", fault_runs, time.monotonic() - began)
    for fault in (whole, *ledger.faults("function")):
        fault_report.note(fault)
        assert not fault.breaks_the_promise, fault


def test_a_function_that_ran_into_its_timeout_changed_nothing_and_the_event_counts_when_it_comes_again(
    start: Start, cloud: Stage
) -> None:
    call = envelope(happened("1"))
    with ThreadPoolExecutor() as lambda_:
        instance = start(slow=SLOW)
        answer = lambda_.submit(instance.call, call)
        eventually((cloud.folder / "began").exists)
        instance.kill()
        assert answer.result() is None
    (cloud.folder / "open").touch()
    assert cloud.state("slow") == {}
    for _ in range(2):
        assert "result" in start(slow=SLOW).call(call)
    assert cloud.state("slow") == {"count": 1}


def test_an_event_that_two_functions_are_called_with_at_once_is_handled_once(
    start: Start, cloud: Stage, fault_runs: int, fault_report: Report
) -> None:
    ledger, both = Ledger(cloud), [start(teller=TELLER), start(teller=TELLER)]
    together = threading.Barrier(len(both))

    def call(instance: Instance, event: Event) -> Any:
        together.wait()
        return instance.call(envelope(event))

    with ThreadPoolExecutor() as lambda_:
        for event in ledger.next(fault_runs):
            answers = [*lambda_.map(call, both, [event] * len(both))]
            assert [set(answer) for answer in answers] == [{"result"}] * len(both)
    eventually(ledger.settled)
    fault = ledger.fault("two functions are called at once", fault_runs)
    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault
