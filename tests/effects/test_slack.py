"""Slack messages, over the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest

from botplatform import Rejected, Retry
from botplatform.effects import slack
from tests.effects.conftest import Answer, Request, Web

MESSAGE = {"channel": "C1", "text": "too hot", "thread_ts": "1.2"}
TOKEN = "xoxb-hunter2"


def settings(web: Web, **more: str) -> dict[str, str]:
    return {"SLACK_BOT_TOKEN": TOKEN, "SLACK_SIGNING_SECRET": "s", "SLACK_API_URL": f"{web.url}/api/", **more}


def post(web: Web, arguments: Mapping[str, Any] = MESSAGE, key: str = "k", timeout: int = 10) -> Mapping[str, Any]:
    return slack.effect(settings(web), timeout).perform(arguments, key)


def respond(web: Web, timeout: int = 10, **message: Any) -> Mapping[str, Any]:
    return post(web, {"response_url": f"{web.url}/commands/1", "text": "31 °C", **message}, timeout=timeout)


def said(request: Request) -> dict[str, Any]:
    if "json" in request.headers["content-type"]:
        return dict(json.loads(request.body))
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def api(**fields: Any) -> Answer:
    return Answer(body=json.dumps(fields).encode(), headers={"Content-Type": "application/json"})


FINE = api(ok=True, ts="1700000000.000100")
DOORS = pytest.mark.parametrize("door", [post, respond])


# The Web API.


def test_a_message_is_posted_with_the_bot_token(web: Web) -> None:
    web.answers = [FINE]

    assert post(web) == {"via": "slack", "ts": "1700000000.000100"}
    (request,) = web.requests
    assert request.path == "/api/chat.postMessage"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert MESSAGE.items() <= said(request).items()


def test_blocks_are_posted_as_json(web: Web) -> None:
    web.answers = [FINE]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "ü"}}]
    post(web, {"channel": "C1", "blocks": blocks})

    sent = said(web.requests[0])["blocks"]
    assert (json.loads(sent) if isinstance(sent, str) else sent) == blocks


def test_every_try_of_a_message_has_the_same_id_and_no_other_message_has_it(web: Web) -> None:
    web.answers = [Answer(503), FINE]
    with pytest.raises(Retry):
        post(web, key="first")
    post(web, key="first")
    post(web, key="second")

    first, again, second = (said(request)["client_msg_id"] for request in web.requests)
    assert first == again != second


@pytest.mark.parametrize("reason", ["channel_not_found", "not_in_channel", "invalid_auth", "msg_too_long"])
def test_what_slack_refuses_is_rejected_with_its_reason(web: Web, reason: str) -> None:
    web.answers = [api(ok=False, error=reason)]

    with pytest.raises(Rejected, match=f"Slack: {reason}"):
        post(web)


@pytest.mark.parametrize("reason", ["ratelimited", "service_unavailable", "internal_error", "fatal_error"])
def test_what_passes_is_tried_again(web: Web, reason: str) -> None:
    web.answers = [api(ok=False, error=reason)]

    with pytest.raises(Retry, match=f"Slack: {reason}"):
        post(web)


def test_an_answer_that_is_not_slacks_is_tried_again(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    web.answers = [Answer(body=b"<html>Please log in to this network</html>")]

    with pytest.raises(Retry, match="non-JSON"):
        post(web)
    assert not caplog.records  # what is raised is not complained of besides


# Either way.


@DOORS
@pytest.mark.parametrize("header", ["Retry-After", "retry-after"])
def test_too_many_requests_are_tried_again_when_slack_says(web: Web, door: Any, header: str) -> None:
    web.answers = [Answer(429, b'{"ok":false,"error":"ratelimited"}', {header: "30"})]

    with pytest.raises(Retry, match="too many requests") as retry:
        door(web)
    assert retry.value.after == 30


@DOORS
def test_too_many_requests_without_a_time_are_tried_again_soon(web: Web, door: Any) -> None:
    web.answers = [Answer(429, b'{"ok":false,"error":"ratelimited"}')]

    with pytest.raises(Retry) as retry:
        door(web)
    assert retry.value.after == 1


@DOORS
@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("body", [b"<html>sorry</html>", b"", b'{"ok":false}'])
def test_a_fault_of_slacks_is_tried_again(web: Web, door: Any, status: int, body: bytes) -> None:
    web.answers = [Answer(status, body)]

    with pytest.raises(Retry, match="Slack"):
        door(web)


@DOORS
@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_fault_of_ours_is_rejected(web: Web, door: Any, status: int) -> None:
    web.answers = [Answer(status, b'{"ok":false,"error":"no_team"}')]

    with pytest.raises(Rejected, match="no_team"):
        door(web)


@DOORS
def test_no_answer_is_tried_again(web: Web, door: Any) -> None:
    web.answers = [Answer(hang=True)]

    with pytest.raises(Retry, match="Slack cannot be reached"):
        door(web, timeout=1)


@DOORS
def test_an_answer_that_ends_half_way_is_tried_again(web: Web, door: Any) -> None:
    web.answers = [Answer(body=FINE.body, cut=True)]

    with pytest.raises(Retry, match="Slack cannot be reached"):
        door(web)


@DOORS
def test_nobody_at_home_is_tried_again(web: Web, door: Any) -> None:
    web.stop()

    with pytest.raises(Retry, match="Slack cannot be reached"):
        door(web)


@DOORS
def test_the_token_is_in_no_message(web: Web, door: Any) -> None:
    web.answers = [Answer(403, b"no")]

    with pytest.raises(Rejected) as rejected:
        door(web)
    assert TOKEN not in str(rejected.value)


# A response_url.


def test_a_reply_goes_to_the_response_url_without_the_token(web: Web) -> None:
    assert respond(web, response_type="ephemeral") == {"via": "slack"}
    (request,) = web.requests
    assert request.path == "/commands/1"
    assert said(request) == {"text": "31 °C", "response_type": "ephemeral"}
    assert "authorization" not in request.headers


def test_a_reply_needs_no_token(web: Web) -> None:
    signed_only = slack.effect({"SLACK_SIGNING_SECRET": "s", "SLACK_API_URL": f"{web.url}/api/"})

    assert signed_only.perform({"response_url": f"{web.url}/1", "text": "hi"}, "k") == {"via": "slack"}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/commands/1",
        "https://hooks.slack.com.example.com/1",
        "https://hooks.slack.com@example.com/1",
        "https://hooks.slack.com:8443/1",
        "http://hooks.slack.com/1",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_response_url_that_is_not_slacks_is_not_called(web: Web, url: str) -> None:
    with pytest.raises(Rejected, match="is not where Slack takes answers"):
        post(web, {"response_url": url, "text": "hi"})


# Without Slack.


def test_without_a_slack_app_everything_goes_to_the_outbox(web: Web) -> None:
    effect = slack.effect({})

    assert effect.destination == "the outbox"
    assert effect.perform(MESSAGE, "k") == {"via": "outbox"}
    assert effect.perform({"response_url": f"{web.url}/1", "text": "hi"}, "k") == {"via": "outbox"}
    assert web.requests == []


def test_with_an_app_it_says_so(web: Web) -> None:
    assert slack.effect(settings(web)).destination == "Slack"
