"""Slack: slash commands, the Events API, actions, shortcuts and views, and the answers to them."""

from __future__ import annotations

from botplatform.sources.slack.decorators import action, command, event, mount, shortcut, view
from botplatform.sources.slack.source import SOURCE

__all__ = ["SOURCE", "action", "command", "event", "mount", "shortcut", "view"]
