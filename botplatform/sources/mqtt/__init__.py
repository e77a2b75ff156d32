"""MQTT: what devices publish, by topic."""

from __future__ import annotations

from botplatform.sources.mqtt.decorators import topic
from botplatform.sources.mqtt.source import SOURCE

__all__ = ["SOURCE", "topic"]
