"""A Bolt app that was there before goes on answering, mounted in a plugin."""

from __future__ import annotations

import sys

import pytest

from botplatform.testing import Platform
from tests.sources.conftest import MakePlatform

APP = """
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult

from botplatform import slack

app = App(
    signing_secret="not-a-real-secret",
    token_verification_enabled=False,
    authorize=lambda: AuthorizeResult(
        enterprise_id=None, team_id="T0LOCAL", bot_token="xoxb-not-real", bot_id="B0", bot_user_id="U0BOT"
    ),
)


@app.command("/hello")
def hello(ack, command):
    ack(f"Hello {command['text']}!")


@app.command("/poll")
def poll(ack):
    ack(text="A poll", response_type="in_channel", blocks=[{"type": "divider"}])


@app.action("snooze")
def snooze(ack, action):
    ack(f"Snoozed for {action['value']}.")


@app.event("app_mention")
def mention(event):
    heard.append(event["text"])


heard = []
"""


@pytest.fixture(params=["slack.mount(app)", "answer = slack.mount(app)"], ids=["bare call", "assigned call"])
def platform(request: pytest.FixtureRequest, platform_with: MakePlatform) -> Platform:
    return platform_with(bolt=APP + request.param)


def test_it_answers_its_commands(platform: Platform) -> None:
    assert platform.slack("/hello Ann") == "Hello Ann!"


def test_an_answer_in_slacks_own_format_is_kept(platform: Platform) -> None:
    reply = platform.slack("/poll")
    assert reply
    assert reply.native == {"text": "A poll", "response_type": "in_channel", "blocks": [{"type": "divider"}]}


def test_it_answers_its_actions(platform: Platform) -> None:
    assert platform.slack_action("snooze", "10m") == "Snoozed for 10m."


@pytest.mark.usefixtures("capfd")  # Bolt prints what it has no listener for
def test_a_command_it_has_no_listener_for_is_answered_and_nothing_else_is(platform: Platform) -> None:
    assert platform.slack("/goodbye") == "I do not know `/goodbye`."
    assert platform.slack_action("unheard") is None


def test_the_same_request_delivered_again_does_not_reach_it_twice(platform: Platform) -> None:
    body = b"command=%2Fhello&text=Ann&team_id=T0LOCAL&user_id=U1&trigger_id=1.2.3"
    first, again = platform.raw("slack", body), platform.raw("slack", body)
    assert first == again == "Hello Ann!"


def test_a_handler_for_the_same_command_wins(platform_with: MakePlatform) -> None:
    native = """
        from botplatform import slack


        @slack.command("/hello {name}")
        def hello(ctx):
            return f"Good morning {ctx.params['name']}!"
    """
    platform = platform_with(bolt=APP + "slack.mount(app)", native=native)

    assert platform.slack("/hello Ann") == "Good morning Ann!"
    assert platform.slack_action("snooze", "10m") == "Snoozed for 10m."


def test_it_hears_of_a_request_once(platform: Platform) -> None:
    platform.slack_event("app_mention", text="hi")
    app = sys.modules["botplatform_plugins.bolt"]
    app.app.listener_runner.listener_executor.shutdown()
    assert app.heard == ["hi"]
