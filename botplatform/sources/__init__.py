"""The outside systems the platform can read, one module or folder each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botplatform.hookspecs import hookimpl

if TYPE_CHECKING:
    from botplatform.source import Source


@hookimpl
def sources() -> list[Source]:
    """The built-in sources."""
    from botplatform.sources import alexa, cloudevents, cloudtrail, mqtt, schedule, slack

    return [module.SOURCE for module in (slack, alexa, mqtt, cloudtrail, schedule, cloudevents)]
