"""`python -m benchmarks.bolt_app PORT`: a Bolt app with one command, behind its Flask adapter and waitress."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from flask import Flask, Response, request
from slack_bolt import App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult
from waitress import serve

from benchmarks.load import HOST


def flask_app() -> Flask:
    """The app; it asks nobody who is who, since there is no Slack here."""
    bolt = App(
        authorize=lambda **_: AuthorizeResult(enterprise_id=None, team_id="T0HOME", bot_token="xoxb-of-nobody"),
        signing_secret=os.environ["SLACK_SIGNING_SECRET"],
        process_before_response=True,
    )
    bolt.command("/temp")(_answer)
    handler, app = SlackRequestHandler(bolt), Flask("bolt")

    @app.post("/slack")
    def slack() -> Response:
        answered: Response = handler.handle(request)
        return answered

    return app


def _answer(ack: Any, command: dict[str, Any]) -> None:
    """Answer how warm a room is."""
    ack(f"It is warm in the {command['text']}.")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    serve(flask_app(), host=HOST, port=int(sys.argv[1]))
