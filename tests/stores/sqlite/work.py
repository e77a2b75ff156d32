"""What the tests of the SQLite store commit, keep and look at."""

from __future__ import annotations

from typing import Any

from botplatform import Event
from botplatform.store import Commit, Outcome, StateKey, Work, Write
from botplatform.stores.sqlite.inbox import Waiting
from tests.handlers import happened

HANDLER = "demo.handle"
KEY = StateKey("demo", "k")


def commit(event: Event, **asked: Any) -> Commit:
    """A handler's commit of an event."""
    return Commit(Work(event.source, event.id, HANDLER), event, **{"outcome": Outcome(), **asked})


def setting(id: str, json: bytes, **asked: Any) -> Commit:
    """A commit that sets the one value."""
    return commit(happened(id), writes={KEY: Write("put", json)}, **asked)


def waiting(event: Event, **known: Any) -> Waiting:
    """An event as the inbox keeps it for the handler."""
    return Waiting(event, HANDLER, **{"attempts": 1, "due": 0.0, **known})
