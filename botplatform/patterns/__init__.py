"""The EventBridge pattern language, MQTT topic templates, and an index over any number of both.

It stands on its own: nothing here imports anything else of ours, and only `pruned` needs msgspec.

    index = Index()
    index.add("keys", compile({"source": ["aws.iam"], "detail": {"eventName": [{"prefix": "CreateAccessKey"}]}}))
    index.add_topic("rooms", Topic.parse("rooms/{room}/temperature"))
    for key, captured in index.match(event, topic):
        ...

`compile` raises PatternError, with the place, for what the service would refuse; `Pattern.explain` says why an event
does not match; `pruned.decoder(index.paths)` decodes no more of a JSON text than the patterns look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import PatternError as PatternError
    from .index import Index as Index
    from .match import Pattern as Pattern
    from .parse import compile as compile
    from .topics import Topic as Topic

__all__ = ["Index", "Pattern", "PatternError", "Topic", "compile"]
_MODULES = {"Index": "index", "Pattern": "match", "PatternError": "errors", "Topic": "topics", "compile": "parse"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # What nobody asks for is not imported: a function on Lambda pays for every module.
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
