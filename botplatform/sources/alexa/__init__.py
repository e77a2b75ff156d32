"""Alexa: custom skills, as intents in and spoken replies out."""

from __future__ import annotations

from botplatform.sources.alexa.decorators import intent, launch, mount, session_ended
from botplatform.sources.alexa.source import SOURCE

__all__ = ["SOURCE", "intent", "launch", "mount", "session_ended"]
