"""DynamoDB stores as a deployed function has them, with what can go wrong on the way."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform.stores.dynamodb import DynamoStore
from tests.stores.conftest import Clock
from tests.stores.dynamodb.faulty import Faulty


@pytest.fixture
def faulty(dynamodb: Any) -> Faulty:
    return Faulty(dynamodb)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def store(table: str, faulty: Faulty, clock: Clock, pauses: list[float]) -> DynamoStore:
    return DynamoStore(table, faulty, clock, pause=pauses.append)


@pytest.fixture
def other(table: str, dynamodb: Any, clock: Clock) -> DynamoStore:
    """The same table from another process."""
    return DynamoStore(table, dynamodb, clock)
