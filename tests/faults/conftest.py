"""How often each fault is injected, and where it is written down what it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.faults.report import Report

if TYPE_CHECKING:
    from tests.hosts.worker.stage import Stage

RUNS = 50


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of `python -m pytest tests/faults`."""
    parser.addoption("--fault-runs", type=int, default=RUNS, help="how often each fault is injected")
    parser.addoption("--fault-report", type=Path, help="JSON file that is to say what the faults did")


@pytest.fixture(scope="session")
def fault_runs(pytestconfig: pytest.Config) -> int:
    """How often to inject a fault; as often as by default where pytest learned of this folder too late to be told."""
    return int(pytestconfig.getoption("--fault-runs", RUNS))


@pytest.fixture(scope="session")
def fault_report(pytestconfig: pytest.Config) -> Report:
    """Where to note what a fault did."""
    return Report(pytestconfig.getoption("--fault-report", None))


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of a server that has what AWS has, as far as we use it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cloud(moto: str, tmp_path: Path) -> Iterator[Stage]:
    """A table and queues on AWS, behind a proxy; processes started there are killed at the end."""
    from botplatform.stores.dynamodb import create_table
    from tests.faults.cloud import forget_texts
    from tests.hosts.worker.amazon import Amazon
    from tests.hosts.worker.stage import Stage

    amazon = Amazon(moto)
    with ExitStack() as ending:
        ending.callback(amazon.stop)
        name = f"faults-{uuid4().hex[:12]}"
        create_table(amazon.client("dynamodb"), name)
        forget_texts()
        yield Stage(amazon, tmp_path, name, ending)
