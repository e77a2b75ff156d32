"""botplatform: everything a plugin author needs, on one screen.

A name is imported when it is first used, so that a plugin pays only for the sources it listens to.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botplatform.errors import Rejected, Retry
    from botplatform.event import Event
    from botplatform.hookspecs import hookimpl
    from botplatform.reply import Card, Reply
    from botplatform.sources import alexa, cloudevents, cloudtrail, mqtt, schedule, slack
    from botplatform.work import Context, PluginInfo

__version__ = "0.1.0"

__all__ = [
    "Card",
    "Context",
    "Event",
    "PluginInfo",
    "Rejected",
    "Reply",
    "Retry",
    "alexa",
    "cloudevents",
    "cloudtrail",
    "hookimpl",
    "mqtt",
    "schedule",
    "slack",
]

_HOMES = {
    "Card": "botplatform.reply",
    "Context": "botplatform.work",
    "Event": "botplatform.event",
    "PluginInfo": "botplatform.work",
    "Rejected": "botplatform.errors",
    "Reply": "botplatform.reply",
    "Retry": "botplatform.errors",
    "hookimpl": "botplatform.hookspecs",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'botplatform' has no attribute {name!r}", name=name, obj=_Surface)
    home = _HOMES.get(name)
    return getattr(import_module(home), name) if home else import_module(f"botplatform.sources.{name}")


class _Surface:
    """What a misspelt import is compared with."""


for _name in __all__:
    setattr(_Surface, _name, None)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
