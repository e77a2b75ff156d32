"""Queues, a table, and workers on them that end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer

from botplatform.stores.dynamodb import create_table
from tests.hosts.worker.amazon import Amazon
from tests.hosts.worker.stage import Stage


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of a server that has what AWS has, as far as we use it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def amazon(moto: str) -> Iterator[Amazon]:
    amazon = Amazon(moto)
    yield amazon
    amazon.stop()


@pytest.fixture
def stage(amazon: Amazon, tmp_path: Path) -> Iterator[Stage]:
    """A queue with its dead letters, a table, and a place for plugins; workers in it are killed at the end."""
    with ExitStack() as ending:
        name = f"stage-{uuid4().hex[:12]}"
        create_table(amazon.client("dynamodb"), name)
        yield Stage(amazon, tmp_path, name, ending)
