"""Handlers and events made in a test, without a plugin file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from botplatform import Event, cloudevents
from botplatform.router import Handler, Match
from botplatform.store import Commit
from botplatform.subscription import subscriptions_of

TYPE = "com.example.happened"
SOURCE = "/tests"


def happened(id: str = "1", **attributes: Any) -> Event:
    """An event that every handler made here listens to."""
    return Event(**{"type": TYPE, "source": SOURCE, "id": id, **attributes})


def handler_of(function: Callable[..., Any], uses: Iterable[str] = (), plugin: str = "demo") -> Handler:
    """`function` as the loader would find it in a plugin; one without a decorator listens to what `happened`."""
    subscriptions = subscriptions_of(function) or subscriptions_of(cloudevents.event(TYPE)(lambda: None))
    arguments = tuple(inspect.signature(function).parameters)
    name = f"{plugin}.{function.__name__}"
    return Handler(name, plugin, function, arguments, subscriptions, frozenset(uses), f"{plugin}.py", 1)


def match_of(function: Callable[..., Any], uses: Iterable[str] = (), plugin: str = "demo") -> Match:
    """`function` as the router would find it for an event."""
    handler = handler_of(function, uses, plugin)
    return Match(handler, handler.subscriptions[0], {})


def replaced(commit: Commit, **changes: Any) -> Commit:
    """A commit like another, but for these changes."""
    same = {name: getattr(commit, name) for name in inspect.signature(Commit).parameters}
    return Commit(**{**same, **changes})
