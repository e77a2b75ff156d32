"""Things that happen to a stage and that no simulator makes."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode

from botplatform.hosts.local.simulate import slack_command


def mention(channel: str) -> bytes:
    """Somebody mentions the bot in a channel; always the same event."""
    inner = {"type": "app_mention", "user": "U0ALICE", "text": "<@U0BOT> help", "channel": channel, "ts": "1.0"}
    body = {"type": "event_callback", "team_id": "T0", "event_id": f"Ev{channel}", "event_time": 1, "event": inner}
    return json.dumps(body).encode()


def command_answered_at(url: str, typed: str) -> bytes:
    """Somebody types a command whose reply may follow at an address."""
    fields = dict(parse_qsl(slack_command(typed).decode()))
    return urlencode({**fields, "response_url": url}).encode()
