"""Each store there is, for the tests that all of them pass."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from botplatform.aws import client
from botplatform.store import Store
from botplatform.stores.dynamodb import DynamoStore, create_table
from botplatform.stores.memory import MemoryStore
from botplatform.stores.sqlite import SqliteStore

_tables = map("table-{}".format, count())


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def aws() -> Iterator[dict[str, str]]:
    """The settings of a DynamoDB that is really there, and does one thing after the other: moto keeps no locks."""
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    credentials = {"AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_REGION": "eu-central-1"}
    yield {**credentials, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def dynamodb(aws: dict[str, str]) -> Iterator[Any]:
    dynamodb = client("dynamodb", aws)
    yield dynamodb
    dynamodb.close()


@pytest.fixture
def table(dynamodb: Any) -> Iterator[str]:
    name = next(_tables)
    create_table(dynamodb, name)
    yield name
    dynamodb.delete_table(TableName=name)


def open_dynamodb(request: pytest.FixtureRequest, clock: Clock) -> Store:
    return DynamoStore(request.getfixturevalue("table"), request.getfixturevalue("dynamodb"), clock, grace=0)


def open_sqlite(request: pytest.FixtureRequest, clock: Clock) -> Store:
    return SqliteStore(request.getfixturevalue("tmp_path") / "state.db", clock, synchronous="OFF")


def open_memory(request: pytest.FixtureRequest, clock: Clock) -> Store:  # noqa: ARG001
    return MemoryStore(clock)


@pytest.fixture(params=[open_sqlite, open_dynamodb, open_memory], ids=["sqlite", "dynamodb", "memory"])
def store(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Store]:
    store: Store = request.param(request, clock)
    yield store
    store.close()
