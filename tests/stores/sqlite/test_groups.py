"""Random commits in calls of any size do what they do one by one."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from botplatform.source import EffectRequest
from botplatform.store import Commit, Committed, Outcome, PendingEffect, Run, StateKey, Store, Work, Write
from botplatform.stores.sqlite import SqliteStore
from tests.handlers import SOURCE, happened

TEXT = EffectRequest("text", {"to": "owner", "body": "hi"}, "owner")
KEYS = [StateKey("demo", "a"), StateKey("demo", "b"), StateKey("@host", "c")]
CHANGES = [
    Write("put", b"1"),
    Write("put", b'"text"'),
    Write("delete"),
    Write("create", b"5"),
    Write("add", b"1"),
    Write("append", b"[1]"),
]

COMMITS = st.builds(
    lambda id, handler, saw_nothing_in, writes, effects, answered, abandoned, attempts: Commit(
        Work(SOURCE, id, handler),
        happened(id),
        Outcome(reply={"text": id}, attempts=attempts),
        reads=dict.fromkeys(saw_nothing_in, 0),
        writes=writes,
        effects=[TEXT] * effects,
        follow_up=TEXT._replace(order="reply"),
        run=Run(answered=answered, abandoned=abandoned),
    ),
    st.sampled_from("123456789"),
    st.sampled_from(["demo.first", "demo.first", "demo.second"]),
    st.sets(st.sampled_from(KEYS), max_size=1),
    st.dictionaries(st.sampled_from(KEYS), st.sampled_from(CHANGES), max_size=3),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([1, 1, 1, 1, 1, 1, 2**64]),
)


def one_by_one(store: Store, commits: Sequence[Commit]) -> list[Committed | Exception]:
    results: list[Committed | Exception] = []
    for commit in commits:
        try:
            results.append(store.commit(commit))
        except Exception as error:  # noqa: BLE001 - what `submit` tells
            results.append(error)
    return results


def in_calls(store: SqliteStore, commits: Sequence[Commit], sizes: Sequence[int]) -> list[Committed | Exception]:
    """All calls are in the queue before the first is dealt with, so they share a transaction."""
    results: list[Committed | Exception] = []
    queued = threading.Event()
    store._writer.submit(lambda _: queued.wait(10))
    for begin, end in pairwise([*accumulate(sizes, initial=0), len(commits)]):
        store.submit(commits[begin:end], results.extend)
    queued.set()
    store.write({})  # the writer keeps the order, so all calls were told before this returns
    return results


def told(results: Sequence[Committed | Exception]) -> list[Any]:
    return [
        result._replace(effects=unnumbered(result.effects))
        if isinstance(result, Committed)
        else (type(result), str(result))
        for result in results
    ]


def unnumbered(effects: Sequence[PendingEffect]) -> list[PendingEffect]:
    """Effects in their order: what is decided twice leaves a gap in their numbers."""
    return [effect._replace(number=0) for effect in effects]


def left(store: SqliteStore) -> list[Any]:
    """All there is in the end, but for times, versions and the numbers of effects."""
    values = [(key, value.json) for plugin in ("demo", "@host") for key, value in store.scan(plugin, "")]
    handled = [(entry["id"], each) for entry in store.log.events() for each in entry["handlers"]]
    log = [(id, each["handler"], each["reply"], each["changes"], len(each["effects"])) for id, each in handled]
    return [values, unnumbered(store.pending()), log]


def on_sqlite(act: Callable[[SqliteStore], list[Committed | Exception]]) -> list[Any]:
    """What a new store tells, and what is in it then, also after a restart."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        store = SqliteStore(path, lambda: 1.8e9, synchronous="OFF")
        results = told(act(store))
        store.close()
        again = SqliteStore(path, lambda: 1.8e9, synchronous="OFF")
        there = left(again)
        again.close()
    return [results, there]


@given(st.lists(COMMITS, max_size=20), st.lists(st.integers(0, 8), max_size=6))
@settings(max_examples=60, deadline=None)
def test_commits_in_calls_do_what_they_do_one_by_one(commits: list[Commit], sizes: list[int]) -> None:
    assert on_sqlite(lambda store: in_calls(store, commits, sizes)) == on_sqlite(
        lambda store: one_by_one(store, commits)
    )
