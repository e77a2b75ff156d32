"""Whatever a function is called with, it answers, or refuses it in a sentence: never a bug of ours."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from botplatform.errors import BotplatformError
from botplatform.hosts.aws_lambda.function import Function
from tests.hosts.aws_lambda.conftest import CALLS, Context, call

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
NAMES = [path.stem for path in sorted(CALLS.glob("*.json")) if not path.stem.startswith("s3")]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys that lead to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    changed = copy.deepcopy(value)
    here = changed
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = new
    return changed


@pytest.fixture(scope="module")
def function() -> Function:
    sources = "slack,alexa,mqtt,cloudtrail,schedule,cloudevents"
    return Function(
        {"BOTPLATFORM_SOURCES": sources, "SLACK_SIGNING_SECRET": "s", "BOTPLATFORM_EVENTS_TOKEN": "made-up"}
    )


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=JSON)
def test_anything_at_all(value: Any, function: Function) -> None:
    with suppress(BotplatformError):
        function(value, Context())


@pytest.mark.parametrize("name", NAMES)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_a_call_with_anything_in_one_of_its_places(name: str, data: st.DataObject, function: Function) -> None:
    value = call(name)
    place = data.draw(st.sampled_from(places(value)))
    with suppress(BotplatformError):
        function(put(value, place, data.draw(JSON)), Context())


def test_wrappers_in_wrappers_without_end(function: Function) -> None:
    nested: Any = {}
    for _ in range(5000):
        nested = {"requestContext": {}, "requestPayload": nested}

    with pytest.raises(BotplatformError):
        function(nested, Context())
