"""A run that was given up, and its commit: one of them happens, whenever each comes, on each store."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from botplatform import Context
from botplatform.engine import Engine
from botplatform.sources.cloudevents import SOURCE
from botplatform.store import Abandoned, Run, StateKey, Store
from botplatform.stores.dynamodb import DynamoStore
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.inbox import Waiting
from tests.handlers import happened, match_of
from tests.stores.conftest import Clock, open_dynamodb, open_sqlite

RUNS = 30


def give_up(store: Store, id: str, run: Run) -> bool:
    """Give a run up as the store's hosts do; whether it was."""
    if isinstance(store, SqliteStore):
        return bool(store.inbox.keep([Waiting(happened(id), "demo.late", 1, 0, run=run)], abandoned=True))
    assert isinstance(store, DynamoStore)
    return run.abandon()


@pytest.fixture(params=[open_sqlite, open_dynamodb], ids=["sqlite", "dynamodb"])
def store(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Store]:
    store: Store = request.param(request, clock)
    yield store
    store.close()


def committed(store: Store, id: str, run: Run, meanwhile: Callable[[], None]) -> bool:
    """Whether a handler, while which something else happens, got to its commit."""

    def late(ctx: Context) -> None:
        meanwhile()
        ctx.state[id] = True

    try:
        Engine(store, {"cloudevents": SOURCE}).run(happened(id), match_of(late), run)
    except Abandoned:
        return False
    return True


def test_nothing_of_a_run_that_was_given_up_while_its_handler_ran_happens(store: Store) -> None:
    run = Run(answered=True)
    assert not committed(store, "1", run, lambda: None if give_up(store, "1", run) else pytest.fail("too late"))
    assert store.read(StateKey("demo", "1")).json is None


@pytest.mark.parametrize("id", [str(number) for number in range(RUNS)])
def test_it_is_given_up_or_it_commits_and_never_both(store: Store, id: str) -> None:
    run, running, commits = Run(answered=True), threading.Event(), []
    thread = threading.Thread(target=lambda: commits.append(committed(store, id, run, running.set)))
    thread.start()
    running.wait(10)
    time.sleep(random.uniform(0, 0.01))
    given_up = give_up(store, id, run)
    thread.join(10)

    changed = store.read(StateKey("demo", id)).json is not None
    assert (commits, changed) == ([not given_up], not given_up)
