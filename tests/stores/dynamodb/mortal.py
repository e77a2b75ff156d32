"""A process that handles one event on DynamoDB and dies on the way; the arguments say where (tests start it)."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from botplatform import Context
from botplatform.aws import client
from botplatform.engine import Engine
from botplatform.plugins import Plugins
from botplatform.store import PendingEffect, Store
from botplatform.stores.dynamodb import DynamoStore
from tests.handlers import happened, match_of


def count_and_tell(ctx: Context) -> str:
    """The handler: it reads, changes, asks for an effect and answers."""
    ctx.state["count"] = ctx.state.get("count", 0) + 1
    ctx.state.add("sum")
    ctx.text("owner", "it happened")
    return "done"


def handle(store: Store, now: float) -> Iterable[PendingEffect]:
    """Give the one event to the handler; returns the effects to perform."""
    engine = Engine(store, Plugins().sources, lambda: now)
    return engine.run(happened(), match_of(count_and_tell, uses=["text"])).effects


def perform(store: Store, effects: Iterable[PendingEffect], sent: Path, step: Callable[[], None]) -> None:
    """Add a line to a file for each effect, and mark it."""
    for effect in effects:
        step()
        with sent.open("a") as file:
            file.write(f"{effect.key}\n")
        step()
        store.performed(effect, {})


class Steps:
    """Kills this very process at one of the steps it takes."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __call__(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


class Stepping:
    """A client of which each call is two steps: one before it was sent and one after it was answered."""

    def __init__(self, client: Any, step: Callable[[], None]) -> None:
        self._client = client
        self._step = step

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self._step()
            answer = getattr(self._client, operation)(**request)
            self._step()
            return answer

        return call


def main(settings: str, table: str, sent: str, now: str, last: str) -> None:
    step = Steps(int(last))
    store = DynamoStore(table, Stepping(client("dynamodb", json.loads(settings)), step), lambda: float(now))
    perform(store, handle(store, float(now)), Path(sent), step)


if __name__ == "__main__":
    main(*sys.argv[1:])
