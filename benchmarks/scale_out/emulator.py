"""SQS and DynamoDB as one server on this machine, with queues and tables for each round."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from botplatform import codec
from botplatform.aws import client
from botplatform.stores.dynamodb import DynamoStore, create_table

PROGRAM = Path(__file__).parents[2] / ".venv-aws" / "bin" / "ministack"
_START_WITHIN = 60.0
_BATCH = 10


@contextmanager
def running(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run the emulator until the end of the block; gives the settings that lead to it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    own = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "S3_DATA_DIR": str(folder), "STATE_DIR": str(folder)}
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen([PROGRAM], env={**os.environ, **settings, **own}, stdout=log, stderr=log)
    try:
        _until_it_listens(port)
        yield settings
    finally:
        process.terminate()
        process.wait()


class Place(NamedTuple):
    """A queue and a table of their own, both empty at first."""

    settings: Mapping[str, str]
    sqs: Any
    dynamodb: Any
    queue: str
    table: str

    @classmethod
    def make(cls, settings: Mapping[str, str]) -> Place:
        """Make them."""
        sqs = client("sqs", settings, attempts=3)
        dynamodb = client("dynamodb", settings, attempts=3, connections=32)
        name = f"scale-out-{uuid4().hex[:12]}"
        create_table(dynamodb, name)
        return cls(settings, sqs, dynamodb, sqs.create_queue(QueueName=name)["QueueUrl"], name)

    def send(self, bodies: Sequence[bytes]) -> None:
        """Put messages on the queue."""
        for start in range(0, len(bodies), _BATCH):
            batch = bodies[start : start + _BATCH]
            entries = [{"Id": str(number), "MessageBody": body.decode()} for number, body in enumerate(batch)]
            self.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries)

    def counted(self, plugin: str) -> int:
        """The sum of all numbers a plugin has in its state."""
        values = DynamoStore(self.table, self.dynamodb).scan(plugin, "")
        return sum(codec.decode(value.json or b"0") for _, value in values)

    def markers(self) -> int:
        """How many events are marked as done."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return sum(item["pk"]["S"].startswith("done#") for page in pages for item in page["Items"])


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the emulator does not listen")
