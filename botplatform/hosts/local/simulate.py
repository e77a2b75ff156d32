"""What Slack and Alexa would send, for the console, the command line, the demo and tests."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from botplatform import codec

TEAM = "T0LOCAL"
SKILL = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"


def slack_command(typed: str, user: str = "U0LOCAL", channel: str = "C0LOCAL") -> bytes:
    """The form Slack sends when somebody types a slash command, such as `/temp kitchen`."""
    command, _, text = typed.strip().partition(" ")
    fields = {
        "team_id": TEAM,
        "team_domain": "local",
        "channel_id": channel,
        "channel_name": "general",
        "user_id": user,
        "user_name": user.lower(),
        "command": command,
        "text": text.strip(),
        "api_app_id": "A0LOCAL",
        "response_url": f"https://hooks.slack.com/commands/{TEAM}/1/local",
        "trigger_id": f"1.2.{uuid.uuid4().hex}",
    }
    return urlencode(fields).encode()


def slack_event(event: Mapping[str, Any], now: datetime) -> bytes:
    """The JSON the Events API sends for an inner event, such as `{"type": "app_mention", "text": "hi"}`."""
    stamp = f"{now.timestamp():.6f}"
    inner = {"user": "U0LOCAL", "channel": "C0LOCAL", "ts": stamp, "event_ts": stamp, **event}
    body = {
        "team_id": TEAM,
        "api_app_id": "A0LOCAL",
        "event": inner,
        "type": "event_callback",
        "event_id": f"Ev{uuid.uuid4().hex[:12].upper()}",
        "event_time": int(now.timestamp()),
    }
    return codec.encode(body)


def slack_action(action_id: str, value: str = "", user: str = "U0LOCAL") -> bytes:
    """The form Slack sends when somebody presses a button."""
    payload = {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "local"},
        "user": {"id": user, "name": user.lower(), "team_id": TEAM},
        "channel": {"id": "C0LOCAL", "name": "general"},
        "api_app_id": "A0LOCAL",
        "trigger_id": f"1.2.{uuid.uuid4().hex}",
        "response_url": f"https://hooks.slack.com/actions/{TEAM}/1/local",
        "actions": [{"type": "button", "action_id": action_id, "block_id": "b1", "value": value}],
    }
    return urlencode({"payload": codec.encode(payload).decode()}).encode()


def alexa_request(
    request: Mapping[str, Any], now: datetime, session: Mapping[str, Any] | None = None, skill: str = SKILL
) -> bytes:
    """The JSON Alexa sends for a request, such as `{"type": "LaunchRequest"}`; `session` are its attributes."""
    application = {"applicationId": skill}
    user = {"userId": "amzn1.ask.account.LOCAL"}
    timestamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "version": "1.0",
        "session": {
            "new": session is None,
            "sessionId": "amzn1.echo-api.session.local",
            "application": application,
            "attributes": dict(session or {}),
            "user": user,
        },
        "context": {"System": {"application": application, "user": user}},
        "request": {
            "requestId": f"amzn1.echo-api.request.{uuid.uuid4()}",
            "timestamp": timestamp,
            "locale": "en-US",
            **request,
        },
    }
    return codec.encode(body)


def alexa_intent(name: str, slots: Mapping[str, str], now: datetime, session: Mapping[str, Any] | None = None) -> bytes:
    """The JSON Alexa sends for an intent with what was said for its slots."""
    filled = {slot: {"name": slot, "value": value, "confirmationStatus": "NONE"} for slot, value in slots.items()}
    intent = {"name": name, "confirmationStatus": "NONE", "slots": filled}
    return alexa_request({"type": "IntentRequest", "intent": intent}, now, session)
