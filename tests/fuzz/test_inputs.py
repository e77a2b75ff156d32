"""Whatever strangers write, what reads it makes something sound of it or refuses it with a reason; it never fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.app import App
from tests.fuzz.mutate import mutated
from tests.fuzz.samples import corpus
from tests.fuzz.target import Target
from tests.fuzz.targets import NAMES

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
Targets = dict[str, Target]

of_every_target = pytest.mark.parametrize("name", NAMES)


def quickly(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(max_examples=examples, deadline=None, database=None, derandomize=True)


@of_every_target
@quickly(60)
@given(body=st.binary(max_size=300))
def test_arbitrary_bytes(name: str, body: bytes, targets: Targets) -> None:
    targets[name].feed(body)


@of_every_target
@quickly(60)
@given(value=JSON)
def test_arbitrary_json(name: str, value: Any, targets: Targets) -> None:
    targets[name].feed(json.dumps(value).encode())


@of_every_target
@quickly(150)
@given(seed=st.integers(0, 2**32))
def test_damaged_samples(name: str, seed: int, targets: Targets) -> None:
    target = targets[name]
    target.feed(mutated(Random(seed), target.samples))


@of_every_target
def test_samples_as_they_are(name: str, targets: Targets) -> None:
    for body in targets[name].samples:
        targets[name].feed(body)


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_what_found_something_once(path: Path, targets: Targets) -> None:
    targets[path.name.split(".")[0]].feed(path.read_bytes())


def test_nothing_that_was_kept_of_all_this_is_rubbish(app: App, targets: Targets) -> None:
    random, target = Random(1), targets["http"]
    for _ in range(200):
        target.feed(mutated(random, target.samples))

    assert app.check_kept()
