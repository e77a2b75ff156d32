"""A Bolt app with one command, behind Bolt's own adapter for Lambda."""

from __future__ import annotations

import os
from typing import Any

from slack_bolt import App
from slack_bolt.adapter.aws_lambda import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult

app = App(
    authorize=lambda **_: AuthorizeResult(enterprise_id=None, team_id="T0HOME", bot_token="xoxb-of-nobody"),
    signing_secret=os.environ["SLACK_SIGNING_SECRET"],
    process_before_response=True,
)


@app.command("/temp")
def answer(ack: Any, command: dict[str, Any]) -> None:
    """Answer how warm a room is."""
    ack(f"It is warm in the {command['text']}.")


def handle(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Let Bolt verify and answer the request."""
    answered: dict[str, Any] = SlackRequestHandler(app).handle(event, context)
    return answered
