"""Processes that die between any two steps, or do the same at once: everything happens once all the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from botplatform.stores.dynamodb import DynamoStore
from tests.conftest import ROOT
from tests.stores.conftest import Clock
from tests.stores.dynamodb.mortal import handle, perform

# What a process does with the event, each call being two steps: it looks for the marker, reads `count` and `sum`,
# commits, performs (two steps of its own), reads the marker and marks the effect.
COMMITTED = 7
SENT = 9
STEPS = 14


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    return tmp_path / "sent.txt"


class Start:
    """Starts processes that handle the one event, and die after so many steps."""

    def __init__(self, aws: dict[str, str], table: str, sent: Path, clock: Clock) -> None:
        self._arguments = [json.dumps(aws), table, str(sent), str(clock.now)]

    def __call__(self, steps: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.stores.dynamodb.mortal", *self._arguments, str(steps)]
        return subprocess.Popen(command, cwd=ROOT)


@pytest.fixture
def start(aws: dict[str, str], table: str, sent: Path, clock: Clock) -> Start:
    return Start(aws, table, sent, clock)


def lines(sent: Path) -> int:
    return len(sent.read_text().splitlines()) if sent.exists() else 0


def values(store: DynamoStore) -> dict[str, bytes | None]:
    return {key: value.json for key, value in store.scan("demo", "")}


def nothing() -> None:
    """A step nobody dies at."""


@pytest.mark.parametrize("steps", range(STEPS))
def test_an_event_whose_process_was_killed_is_finished_when_it_comes_again(
    start: Start, other: DynamoStore, clock: Clock, sent: Path, steps: int
) -> None:
    assert start(steps).wait() == -signal.SIGKILL

    clock.now += 60
    perform(other, handle(other, clock.now), sent, nothing)
    assert values(other) == {"count": b"1", "sum": b"1"}
    # Whether an effect happened that nobody could note any more is only known outside: it happens again.
    assert lines(sent) == (2 if SENT <= steps < STEPS - 1 else 1)
    assert other.pending() == []


@pytest.mark.parametrize("steps", [COMMITTED, COMMITTED + 1, SENT, STEPS - 1])
def test_an_event_whose_process_was_killed_is_finished_by_a_sweep(
    start: Start, other: DynamoStore, clock: Clock, sent: Path, steps: int
) -> None:
    assert start(steps).wait() == -signal.SIGKILL

    clock.now += 60
    perform(other, other.pending(), sent, nothing)
    assert values(other) == {"count": b"1", "sum": b"1"}
    assert lines(sent) == (2 if steps == SENT else 1)
    clock.now += 3600
    assert other.pending() == []


def test_a_process_nobody_kills_takes_all_the_steps_there_are(start: Start, other: DynamoStore, sent: Path) -> None:
    assert start(STEPS).wait() == 0
    assert (values(other), lines(sent)) == ({"count": b"1", "sum": b"1"}, 1)


def test_processes_that_handle_one_event_at_once_do_so_once(start: Start, other: DynamoStore, sent: Path) -> None:
    processes = [start(1000) for _ in range(4)]

    assert [process.wait() for process in processes] == [0] * 4
    assert (values(other), lines(sent)) == ({"count": b"1", "sum": b"1"}, 1)


def test_nothing_happened_where_the_commit_was_never_sent(start: Start, other: DynamoStore, clock: Clock) -> None:
    start(COMMITTED - 1).wait()
    clock.now += 3600

    assert (values(other), other.pending()) == ({}, [])
