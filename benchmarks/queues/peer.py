"""A task queue that is running: its worker and whoever puts tasks, each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.measure import Figures, Wrong
from benchmarks.servers import ROOT

_WITHIN = 60.0
# The settings that were fastest here, of those their documentation names (benchmarks/README.md).
WORKERS = {
    "huey": [
        *("-m", "huey.bin.huey_consumer", "benchmarks.queues.with_huey.queue", "--workers", "1", "--quiet"),
        *("--delay", "0.001", "--max-delay", "0.01", "--no-periodic"),
    ],
    "celery": [
        *("-m", "celery", "--app", "benchmarks.queues.with_celery", "worker", "--concurrency", "2"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"),
    ],
    "dramatiq": ["-m", "dramatiq", "benchmarks.queues.with_dramatiq", "--processes", "1", "--threads", "8"],
}


class Peer:
    """A queue that is running; `producer` puts as many tasks as it reads, `done` has a byte for each that was run.

    While it is not measured it stands still: to look for tasks a hundred times a second takes time from the others.
    """

    def __init__(self, producer: subprocess.Popen[bytes], worker: subprocess.Popen[bytes], done: Path) -> None:
        self._producer = producer
        self._worker = worker
        self._done = done

    def measure(self, tasks: int) -> Figures:
        """Put so many tasks, and wait until all were run; raises Wrong when there are more, or not all in a minute."""
        _signal(signal.SIGCONT, self._producer, self._worker)
        try:
            return self._run(tasks)
        finally:
            _signal(signal.SIGSTOP, self._producer, self._worker)

    def _run(self, tasks: int) -> Figures:
        wanted = self._count() + tasks
        began = time.perf_counter()
        assert self._producer.stdin
        self._producer.stdin.write(b"%d\n" % tasks)
        self._producer.stdin.flush()
        while self._count() < wanted and time.perf_counter() - began < _WITHIN and self._worker.poll() is None:
            time.sleep(0.001)
        seconds = time.perf_counter() - began
        if self._count() != wanted:
            raise Wrong(f"{self._worker.args!r}: {self._count()} tasks were run in all, of {wanted}")
        return {"events/s": tasks / seconds}

    def _count(self) -> int:
        return self._done.stat().st_size if self._done.exists() else 0


@contextmanager
def running(name: str, broker: str, folder: Path) -> Iterator[Peer]:
    """Run the queue of that name (huey, celery, dramatiq) on a broker, a URL or a file, until the end of the block."""
    folder.mkdir()
    environment = {**os.environ, "BENCHMARK_DONE": str(folder / "done"), "BENCHMARK_BROKER": broker}
    with (folder / "log").open("wb") as log:
        producer = _start(["-m", "benchmarks.queues.producer", f"with_{name}"], environment, log.fileno())
        worker = _start(WORKERS[name], environment, log.fileno())
        try:
            peer = Peer(producer, worker, folder / "done")
            peer.measure(1)
            yield peer
        finally:
            _stop(producer)
            _stop(worker)


def _start(command: Sequence[str], environment: dict[str, str], log: int) -> subprocess.Popen[bytes]:
    # A group of its own, so that Ctrl-C at our terminal leaves it to us to stop the worker.
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _signal(number: int, *processes: subprocess.Popen[bytes]) -> None:
    """Send a signal to processes and those they started."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it started."""
    _signal(signal.SIGCONT, process)
    if process.stdin:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        _signal(signal.SIGKILL, process)
        process.wait()
