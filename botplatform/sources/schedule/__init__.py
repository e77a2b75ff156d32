"""The clock: handlers that run at set times."""

from __future__ import annotations

from botplatform.sources.schedule.decorators import on
from botplatform.sources.schedule.source import SOURCE

__all__ = ["SOURCE", "on"]
