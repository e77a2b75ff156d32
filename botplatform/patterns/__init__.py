"""Which events does a subscription concern: the EventBridge pattern language, MQTT topics, and an index over both."""

from __future__ import annotations

from botplatform.patterns.errors import PatternError
from botplatform.patterns.index import Index
from botplatform.patterns.match import Pattern
from botplatform.patterns.parse import compile
from botplatform.patterns.topics import Topic

__all__ = ["Index", "Pattern", "PatternError", "Topic", "compile"]
