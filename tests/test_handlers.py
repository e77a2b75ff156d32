"""The arguments of a handler are found as `inspect` would find them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from botplatform import Event, cloudevents
from botplatform.errors import PluginMistake
from botplatform.handlers import handlers_in


def none() -> None: ...


def both(event: Event, ctx: Any) -> None: ...


def by_name(*, ctx: Any, event: Event) -> None: ...


def with_a_local(event: Event) -> None:
    local = event
    del local


def collecting(event: Event, *ctx: Any) -> None: ...


def collecting_names(event: Event, **ctx: Any) -> None: ...


@functools.wraps(both)
def wrapped(*arguments: Any, **named: Any) -> None: ...


def handler(function: Callable[..., Any]) -> Any:
    """A function as the loader finds it in a module of its own."""
    module = ModuleType("demo")
    function.__module__ = "demo"
    module.found = cloudevents.event("com.example.happened")(function)  # type: ignore[attr-defined]
    (found,) = handlers_in("demo", module, "demo.py")
    return found


@pytest.mark.parametrize("function", [none, both, by_name, with_a_local, collecting, collecting_names, wrapped])
def test_the_arguments_are_those_of_its_signature(function: Callable[..., Any]) -> None:
    assert handler(function).arguments == tuple(inspect.signature(function).parameters)


async def waits(event: Event) -> None: ...


def yields(event: Event) -> Any:
    yield event


async def does_both(event: Event) -> Any:
    yield event


@pytest.mark.parametrize("function", [waits, yields, does_both])
def test_a_handler_is_a_plain_function(function: Callable[..., Any]) -> None:
    with pytest.raises(PluginMistake, match=r"found\(\) is async or a generator; a handler is a plain function"):
        handler(function)
