"""A backup restored under a platform that runs, and under load."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from botplatform.stores.sqlite.reading import reading
from tests.hosts.local.process import PYTHON, Process
from tests.hosts.local.running import request, written
from tests.mosquitto import eventually

COUNTER = '''"""Counts events, and each by its id."""

from botplatform import Context, Event, cloudevents


@cloudevents.event("com.example.numbered")
def count(event: Event, ctx: Context) -> None:
    ctx.state.add("count")
    ctx.state.add(event.id)
'''


def test_nothing_acknowledged_after_a_restore_is_lost(tmp_path: Path) -> None:
    written(tmp_path, {"counter": COUNTER})
    process = Process(tmp_path)
    try:
        url = process.started()
        post(url, "early")
        botplatform(tmp_path, "backup", "copy.db")
        post(url, "forgotten")
        with sending(url) as acknowledged:
            eventually(lambda: len(acknowledged) >= 100)
            botplatform(tmp_path, "restore", "copy.db")
            restored_by = len(acknowledged)
            eventually(lambda: len(acknowledged) >= restored_by + 100)
        assert process.end(signal.SIGTERM) == 0
    finally:
        process.kill()

    counted = state(tmp_path)
    assert {"early": 1, **dict.fromkeys(acknowledged[restored_by:], 1)}.items() <= counted.items()
    assert counted.pop("count") == sum(counted.values()) == len(counted)
    assert "forgotten" not in counted
    assert "forgotten" in state(tmp_path, next((tmp_path / "state").glob("*.before-restore-*Z")).name)


@contextmanager
def sending(url: str) -> Iterator[list[str]]:
    """Send events until the block ends, each until it is acknowledged; in the list are those that were."""
    acknowledged: list[str] = []
    ending = threading.Event()

    def send(sender: int) -> None:
        number = 0
        while not ending.is_set():
            with suppress(OSError, HTTPException):  # it is just starting anew
                if post(url, f"{sender}-{number}") == 202:
                    acknowledged.append(f"{sender}-{number}")
                    number += 1

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield acknowledged
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def post(url: str, id: str) -> int:
    event = {"specversion": "1.0", "id": id, "source": "/tests", "type": "com.example.numbered"}
    headers = {"content-type": "application/cloudevents+json"}
    return request(f"{url}/events", json.dumps(event).encode(), headers).status


def botplatform(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [*PYTHON, *arguments], cwd=folder, env={"BOTPLATFORM_STATE": "state"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def state(folder: Path, name: str = "state.db") -> dict[str, int]:
    with reading(folder / "state" / name) as found:
        return {key: int(value.json or b"0") for key, value in found.scan("counter", "")}
