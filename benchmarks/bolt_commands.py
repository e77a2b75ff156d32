"""Bolt as a peer: an app that answers slash commands, in process and as WSGI apps; it asks nobody over the network."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.commands import ANSWER, SECRET, named


def app(commands: int, process_before_response: bool) -> Any:
    """A Bolt app with so many commands, each answered with the same text.

    Without `process_before_response` a listener runs on a thread while Bolt polls for its acknowledgement, which is
    Bolt's default.
    """
    bolt = importlib.import_module("slack_bolt")
    authorized = importlib.import_module("slack_bolt.authorization").AuthorizeResult(
        enterprise_id=None, team_id="T0LOCAL", bot_token="xoxb-none", bot_id="B0", bot_user_id="U0BOT"
    )
    made = bolt.App(
        signing_secret=SECRET,
        authorize=lambda: authorized,
        token_verification_enabled=False,
        process_before_response=process_before_response,
    )
    for number in range(commands):
        made.command(named(number))(_answer)
    return made


def _answer(ack: Callable[..., Any]) -> None:
    ack(ANSWER)


def answering(commands: int) -> Callable[[Mapping[str, str], bytes], object]:
    """Signed requests to answers, without a server."""
    request = importlib.import_module("slack_bolt").BoltRequest
    dispatch = app(commands, process_before_response=True).dispatch
    return lambda headers, body: json.loads(dispatch(request(body=body.decode(), headers=headers)).body)


def eager() -> Any:
    """The WSGI app that answers when the listener has run."""
    return _wsgi(process_before_response=True)


def default() -> Any:
    """The WSGI app as Bolt makes it by default."""
    return _wsgi(process_before_response=False)


def in_flask() -> Any:
    """The same in Flask, as Bolt's documentation begins."""
    flask = importlib.import_module("flask")
    handler = importlib.import_module("slack_bolt.adapter.flask").SlackRequestHandler(app(1, True))
    made = flask.Flask("bolt")
    made.post("/slack")(lambda: handler.handle(flask.request))
    return made


def _wsgi(process_before_response: bool) -> Any:
    handler = importlib.import_module("slack_bolt.adapter.wsgi").SlackRequestHandler
    return handler(app(1, process_before_response), path="/slack")
