"""What is known after a crash of what was running."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from botplatform.hosts.local.recorder import Recorder
from botplatform.store import Work
from botplatform.stores.sqlite import SqliteStore
from tests.hosts.local.machine import PATIENCE

NOW = 1_800_000_000.0
A, B = Work("/tests", "a", "demo.handle"), Work("/tests", "b", "demo.handle")


@contextmanager
def running(recorder: Recorder, work: Work) -> Iterator[None]:
    noted = recorder.begin(work)
    try:
        yield
    finally:
        recorder.end(noted, work)


class Machine:
    """A folder on which one process starts after the other has died."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self._folder = folder
        self._running = running

    def start(self, now: float = NOW) -> Recorder:
        store = SqliteStore(self._folder / "state.db", lambda: now)
        recorder = Recorder(self._folder / "running.bin", store, now)
        self._running.callback(store.close)
        self._running.callback(recorder.close)
        return recorder

    def die_while_running(self, *works: Work) -> None:
        recorder = self.start()
        for work in works:
            self._running.enter_context(running(recorder, work))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with ExitStack() as running:
        yield Machine(tmp_path, running)


def test_what_never_crashed_is_not_counted(machine: Machine) -> None:
    recorder = machine.start()
    with running(recorder, A):
        pass

    assert machine.start().crashes(A) == 0


def test_its_file_has_its_room_before_the_disk_is_full(tmp_path: Path, machine: Machine) -> None:
    machine.start()

    stat = (tmp_path / "running.bin").stat()
    assert stat.st_blocks * 512 >= stat.st_size


def test_what_raised_did_not_crash(machine: Machine) -> None:
    recorder = machine.start()
    with pytest.raises(LookupError), running(recorder, A):
        raise LookupError

    assert machine.start().crashes(A) == 0


def test_crashes_are_counted_over_restarts(machine: Machine) -> None:
    machine.die_while_running(A, B)
    machine.die_while_running(A)

    recorder = machine.start()
    assert (recorder.crashes(A), recorder.crashes(B)) == (2, 1)
    assert recorder.crashes(Work("/others", "a", "demo.handle")) == 0


def test_crashes_are_forgotten_after_a_day(machine: Machine) -> None:
    machine.die_while_running(A)

    assert machine.start().crashes(A) == 1
    assert machine.start(NOW + 86_401).crashes(A) == 0


def test_more_may_run_than_can_be_noted(machine: Machine) -> None:
    recorder = machine.start()
    with ExitStack() as all_:
        for n in range(300):
            all_.enter_context(running(recorder, Work("/tests", str(n), "demo.handle")))
    machine.die_while_running(A)

    assert machine.start().crashes(A) == 1


@pytest.mark.parametrize("id", ["x" * 2000, "ü" * 600])
def test_what_is_too_long_to_be_noted_is_left_out(machine: Machine, id: str) -> None:
    machine.die_while_running(Work("/tests", id, "demo.handle"), A)

    assert machine.start().crashes(A) == 1


def test_a_file_that_was_torn_is_no_obstacle(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "running.bin").write_bytes(b"\x00\x05[1,2]" + b"\xff" * 3000)

    assert machine.start().crashes(A) == 0


def test_what_crashed_before_runs_alone_among_its_kind(machine: Machine) -> None:
    machine.die_while_running(A, B)
    recorder = machine.start()
    inside, entered = threading.Event(), threading.Event()

    def run_b() -> None:
        inside.set()
        with running(recorder, B):
            entered.set()

    other = threading.Thread(target=run_b)
    with running(recorder, A):
        other.start()
        assert inside.wait(PATIENCE)
        assert not entered.wait(0.05)
        with running(recorder, Work("/tests", "innocent", "demo.handle")):
            pass
    assert entered.wait(PATIENCE)
    other.join()
