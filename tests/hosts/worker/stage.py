"""All that a test of workers needs: a table, queues, plugins, and `botplatform worker` as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from textwrap import dedent
from typing import Any

from botplatform import Event
from botplatform.store import StateKey, Write
from botplatform.stores.dynamodb import DynamoStore
from tests.hosts.worker.amazon import Amazon
from tests.mosquitto import eventually

PATIENCE = 30.0


class Stage:
    """One table and some queues; what is given to a worker comes through the proxy, what a test looks at does not."""

    def __init__(self, amazon: Amazon, folder: Path, table: str, ending: ExitStack) -> None:
        self.amazon = amazon
        self.folder = folder
        self.table = table
        self.sqs = amazon.client("sqs")
        self._dynamodb = amazon.client("dynamodb")
        self._ending = ending
        self._workers = 0
        (folder / "plugins").mkdir()

    @cached_property
    def store(self) -> DynamoStore:
        return DynamoStore(self.table, self._dynamodb)

    @cached_property
    def queue(self) -> str:
        """The queue most tests use: visible again after 4 seconds, and dead after three tries."""
        return self.make_queue("jobs")

    @cached_property
    def dead_letters(self) -> str:
        return self._create("dead")

    def make_queue(self, name: str, attempts: int | None = 3, fifo: bool = False, visibility: int = 4) -> str:
        """Make a queue; with `attempts` it has a dead-letter queue."""
        policy = {}
        if attempts:
            dead = self._create("dead", fifo=True) if fifo else self.dead_letters
            policy = {
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": self._arn(dead), "maxReceiveCount": attempts})
            }
        return self._create(name, fifo, VisibilityTimeout=str(visibility), **policy)

    def plugin(self, name: str, source: str) -> None:
        """Write a plugin that workers started from now on have."""
        (self.folder / "plugins" / f"{name}.py").write_text(dedent(source).lstrip("\n"))

    def send(self, *events: Event, queue: str = "", group: str = "") -> None:
        """Put events on a queue, each as a message."""
        for event in events:
            self.send_text(event.to_json().decode(), queue=queue, group=group)

    def send_text(self, body: str, queue: str = "", group: str = "") -> None:
        """Put any message on a queue."""
        order = {"MessageGroupId": group, "MessageDeduplicationId": os.urandom(8).hex()} if group else {}
        self.sqs.send_message(QueueUrl=queue or self.queue, MessageBody=body, **order)

    def worker(self, *options: str, queue: str = "", **settings: str) -> WorkerProcess:
        """Start `botplatform worker`; returns once it is up."""
        command = [sys.executable, "-m", "botplatform", "worker", "--queue", queue or self.queue, "--json", *options]
        return self.start(command, **settings).started()

    def start(self, command: list[str], **settings: str) -> WorkerProcess:
        """Start a process with the settings of this stage."""
        self._workers += 1
        environment = {**os.environ, **self.amazon.settings, "BOTPLATFORM_TABLE": self.table, **settings}
        process = WorkerProcess(command, self.folder, f"worker-{self._workers}", environment)
        self._ending.callback(process.kill)
        return process

    def state(self, plugin: str) -> dict[str, Any]:
        """What a plugin has in its state."""
        return {key: json.loads(value.json or b"null") for key, value in self.store.scan(plugin, "")}

    def missed(self, schedule: str, hours: int) -> None:
        """Have it look as if nobody had seen to a schedule for some hours."""
        seen = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
        self.store.write({StateKey("@schedule", schedule): Write("put", json.dumps(seen).encode())})

    def left(self, queue: str = "") -> int:
        """How many messages a queue has, hidden ones too."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = queue or self.queue
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        return sum(map(int, found.values()))

    def letters(self, queue: str = "") -> list[Any]:
        """The dead letters there are."""
        answer = self.sqs.receive_message(
            QueueUrl=queue or self.dead_letters, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(found["Body"]) for found in answer.get("Messages", ())]

    def _create(self, name: str, fifo: bool = False, **attributes: str) -> str:
        kind = {"FifoQueue": "true"} if fifo else {}
        full = f"{self.table}-{name}{'.fifo' if fifo else ''}"
        return str(self.sqs.create_queue(QueueName=full, Attributes={**kind, **attributes})["QueueUrl"])

    def _arn(self, url: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])


class WorkerProcess:
    """A worker; `log` holds what it tells people, `out` its lines of JSON."""

    def __init__(self, command: list[str], folder: Path, name: str, environment: Mapping[str, str]) -> None:
        self.log = folder / f"{name}.log"
        self.out = folder / f"{name}.out"
        with self.log.open("wb") as log, self.out.open("wb") as out:
            self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=log)

    def started(self) -> WorkerProcess:
        """Wait until it is up."""
        eventually(lambda: "worker is up" in self.log.read_text() or not self.alive(), seconds=PATIENCE)
        assert self.alive(), self.log.read_text()
        return self

    def alive(self) -> bool:
        return self._process.poll() is None

    def entries(self) -> list[Any]:
        """What it logged of each event."""
        lines = [json.loads(line) for line in self.out.read_text().splitlines()]
        return [line for line in lines if "verdict" in line]

    def counts(self) -> dict[str, int]:
        """The counts it wrote last."""
        lines = [json.loads(line) for line in self.out.read_text().splitlines()]
        return [line["counts"] for line in lines if "counts" in line][-1]

    def signal(self, number: Signals) -> None:
        self._process.send_signal(number)

    def end(self, number: Signals = SIGTERM) -> int:
        """Ask it to end; returns its exit status."""
        self.signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; returns its exit status, which is -9 after SIGKILL."""
        return self._process.wait(timeout=60)

    def kill(self) -> None:
        """End it without a chance to finish anything; nothing to do when it has ended."""
        if self.alive():
            self.end(SIGKILL)


def settles(condition: Any, seconds: float = 1.0) -> bool:
    """Whether something holds, and still does after a while."""
    eventually(condition, seconds=PATIENCE)
    time.sleep(seconds)
    return bool(condition())
