"""Machines and gates that are let go of when a test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botplatform.router import Handler
from tests.hosts.local.machine import Gate, Machine, Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a machine on the test's folder; the one before has to be stopped."""
    machines: list[Machine] = []

    def start(*handlers: Handler, **options: Any) -> Machine:
        machines.append(Machine(tmp_path, *handlers, **options))
        return machines[-1]

    yield start
    for machine in machines:
        machine.stop(0.1)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()
