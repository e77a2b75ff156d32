"""Workers that die of any of their requests to AWS, and an AWS that fails: everything counts once in the end."""

from __future__ import annotations

import random
import sys
import time
from itertools import cycle, islice

import pytest

from tests.conftest import ROOT
from tests.faults.cloud import NEVER, POINTS, TELLER, Ledger, Point
from tests.faults.report import Report
from tests.hosts.worker.amazon import THROTTLED, Mishap
from tests.hosts.worker.stage import Stage, WorkerProcess
from tests.mosquitto import eventually

BATCH = 4
# One thread handles. Others receive and delete: of these a worker may die whatever the one that handles does just then.
OTHERS = [
    Point("ReceiveMessage", "after", doubles=True),
    Point("DeleteMessageBatch", "before", nths=1, doubles=True),
    Point("DeleteMessageBatch", "after", nths=1, doubles=True),
]


class Workers:
    """A queue of the events in a ledger, and workers on it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        # No dead letters: a message may meet any number of workers that die.
        self._queue = stage.make_queue("faults", attempts=None, visibility=2)
        self.ledger = Ledger(stage)

    def send(self, many: int) -> None:
        """Put the next events on the queue."""
        self._stage.send(*self.ledger.next(many), queue=self._queue)

    def start(self, dies: Point = NEVER, sweeps: bool = False) -> WorkerProcess:
        """Start a worker that dies at a point; one that `sweeps` soon finishes what others left.

        One that is to die does not: it could be in the middle of two effects, and of one of them at any point. Nor does
        one that is kept waiting: what takes a few seconds is taken for left.
        """
        role = "sweeper" if sweeps else "worker"
        mortality = [dies.operation, dies.moment, str(random.randint(1, dies.nths))]
        command = [sys.executable, "-m", "tests.faults.mortal", *mortality, role, self._queue]
        return self._stage.start(command, PYTHONPATH=str(ROOT))

    def recover(self) -> float:
        """Wait until nothing is left to do; returns how many seconds that took."""
        began = time.monotonic()
        eventually(lambda: self.ledger.settled() and self._stage.left(self._queue) == 0, seconds=120)
        return time.monotonic() - began


@pytest.fixture
def workers(cloud: Stage) -> Workers:
    cloud.plugin("teller", TELLER)
    return Workers(cloud)


@pytest.mark.timeout(900)
def test_a_worker_may_die_of_any_of_its_requests_under_load(
    workers: Workers, fault_runs: int, fault_report: Report
) -> None:
    for point in islice(cycle(POINTS + OTHERS), fault_runs):
        workers.send(BATCH)
        worker = workers.start(point)
        eventually(lambda: not worker.alive(), seconds=60)  # noqa: B023 - asked for now
        workers.ledger.died(point)
    workers.start(sweeps=True).started()
    whole = workers.ledger.fault("worker dies anywhere", fault_runs, workers.recover())
    for fault in (whole, *workers.ledger.faults("worker")):
        fault_report.note(fault)
        assert not fault.breaks_the_promise, fault


MISHAPS = {
    "refuses for now": Mishap(answer=(400, {"__type": "ProvisionedThroughputExceededException", "message": "wait"})),
    "throttles": THROTTLED,
    "breaks": Mishap(answer=(500, {"__type": "InternalServerError", "message": "sorry"})),
    "is away": Mishap(before=lambda: None),
    "answers half-way": Mishap(cut=True),
    "answers too late": Mishap(after=lambda: time.sleep(11)),  # a client waits for 10 seconds
}
"""What may happen to a request: of the last two, the service does what it is asked for, and is asked once more."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("operations", "name"),
    [
        *(("GetItem", name) for name in ("refuses for now", "answers half-way")),
        *(("PutItem", name) for name in ("breaks", "answers half-way")),
        *(("TransactWriteItems", name) for name in MISHAPS),
        ("ReceiveMessage", "answers half-way"),
        ("DeleteMessageBatch", "breaks"),
        ("DeleteMessageBatch", "answers half-way"),
        ("Publish Query", "breaks"),
    ],
)
def test_an_aws_that_fails_under_load_costs_nothing(
    operations: str, name: str, cloud: Stage, workers: Workers, fault_runs: int, fault_report: Report
) -> None:
    runs = 1 if name == "answers too late" else max(2, fault_runs // 10)
    workers.start(sweeps="Query" in operations).started()
    for operation in operations.split():
        cloud.amazon.happens(operation, *[MISHAPS[name], Mishap()] * runs)
    workers.send(2 * runs)
    fault = workers.ledger.fault(f"AWS {name}: {operations}", runs, workers.recover())
    fault_report.note(fault)
    assert not fault.breaks_the_promise, fault
