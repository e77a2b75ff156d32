"""What Slack sends becomes events, and replies become what Slack shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from jsonschema import Draft7Validator

from botplatform import slack
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.reply import Reply
from botplatform.source import Raw
from botplatform.subscription import Subscription, subscriptions_of

SOURCE = slack.SOURCE
COMMAND = {"command": "/temp", "text": "kitchen", "team_id": "T1", "user_id": "U1", "trigger_id": "1.2.3"}
URL = "https://hooks.slack.com/commands/T1/1/x"
BLOCKS = [{"type": "divider"}]

# What Bolt's own tests hold besides payloads: an ASGI message, and an answer of the Web API.
NO_PAYLOADS = {
    "lifespan": "type: no Slack payload: its type is 'lifespan' and it names no team, app or token",
    None: "no Slack payload: it has neither a type nor a command",
}


def read(body: bytes, **headers: str) -> Event | Rejected:
    """The one event in a body."""
    (found,) = SOURCE.normalize(Raw(body, headers))
    return found


def event_of(payload: Any, **headers: str) -> Event:
    event = read(json.dumps(payload).encode(), **headers)
    assert isinstance(event, Event), event
    return event


def command(**fields: str) -> Event:
    event = read(urlencode({**COMMAND, **fields}).encode())
    assert isinstance(event, Event), event
    return event


def inner(type_: str = "app_mention", **fields: Any) -> dict[str, Any]:
    """An Events API request around an inner event."""
    return {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": {"type": type_, **fields}}


def subscriptions(*decorators: Callable[[Any], Any]) -> list[Subscription]:
    return [subscriptions_of(decorate(lambda: None))[0] for decorate in decorators]


# Real payloads


@pytest.fixture(scope="module")
def payloads(shared_data: Path) -> list[Any]:
    """What the tests of Bolt for Python send."""
    lines = (shared_data / "slack" / "bolt-payloads" / "payloads.jsonl").read_text().splitlines()
    return [json.loads(line)["payload"] for line in lines]


@pytest.fixture(scope="module")
def forms(shared_data: Path) -> list[str]:
    lines = (shared_data / "slack" / "bolt-payloads" / "slash-command-form-bodies.jsonl").read_text().splitlines()
    return [json.loads(line)["body"] for line in lines]


def is_payload(value: Any) -> bool:
    return "command" in value or value.get("type") not in NO_PAYLOADS


def test_real_payloads_become_valid_events_that_keep_them_whole(
    payloads: list[Any], envelope_schema: Draft7Validator
) -> None:
    genuine = [payload for payload in payloads if is_payload(payload)]
    assert (len(payloads), len(genuine)) == (86, 84)
    for payload in genuine:
        event = event_of(payload)
        assert event.data == payload
        assert SOURCE.owns(event)
        envelope_schema.validate(json.loads(event.to_json()))


def test_what_is_no_payload_of_slacks_is_refused_with_a_sentence(payloads: list[Any]) -> None:
    for payload in payloads:
        if is_payload(payload):
            continue
        refused = read(json.dumps(payload).encode())
        assert str(refused) == NO_PAYLOADS[payload.get("type")]
        assert not SOURCE.recognizes(payload)


def test_payloads_that_say_whose_they_are_are_recognized(payloads: list[Any]) -> None:
    """The others are fragments from Bolt's tests of its matchers."""
    whole = [payload for payload in payloads if "token" in payload]
    assert len(whole) > 50
    assert all(SOURCE.recognizes(payload) for payload in whole)


def test_interactions_arrive_as_forms_too(payloads: list[Any]) -> None:
    for payload in payloads:
        if payload.get("type") in ("block_actions", "shortcut", "view_submission"):
            assert read(urlencode({"payload": json.dumps(payload)}).encode()) == event_of(payload)


def test_real_slash_commands_become_events(forms: list[str], envelope_schema: Draft7Validator) -> None:
    assert len(forms) == 23
    for form in forms:
        event = read(form.encode())
        assert isinstance(event, Event)
        assert (event.type, event.subject, event.source) == ("com.slack.command", "/hello-world", "urn:slack:T111")
        assert event.data["text"] == "Hi"
        envelope_schema.validate(json.loads(event.to_json()))


# The envelope


@pytest.mark.parametrize(
    ("payload", "type_", "subject", "key"),
    [
        (COMMAND, "command", "/temp", "U1"),
        (inner(channel="C1", user="U1"), "event.app_mention", "C1", "C1"),
        (inner("reaction_added", user="U1", item={"channel": "C2"}), "event.reaction_added", "C2", "C2"),
        (inner("team_join", user="U1"), "event.team_join", None, "U1"),
        ({"type": "block_actions", "actions": [{"action_id": "a"}], "user": {"id": "U1"}}, "block_actions", "a", "U1"),
        ({"type": "shortcut", "callback_id": "c", "user": {"id": "U1"}}, "shortcut", "c", "U1"),
        ({"type": "view_submission", "view": {"callback_id": "v"}}, "view_submission", "v", None),
        ({"type": "url_verification", "token": "t"}, "url_verification", None, None),
        ({"type": "something_new", "team_id": "T1"}, "something_new", None, None),
        ({"ssl_check": "1", "token": "t"}, "ssl_check", None, None),
    ],
)
def test_a_payload_is_named_by_its_kind_its_subject_and_whose_order_it_is_part_of(
    payload: dict[str, Any], type_: str, subject: str | None, key: str | None
) -> None:
    event = event_of(payload)
    assert (event.type, event.subject) == (f"com.slack.{type_}", subject)
    assert event.extensions.get("partitionkey") == key


@pytest.mark.parametrize(
    ("payload", "id"),
    [
        (COMMAND, "1.2.3"),
        (inner(), "Ev1"),
        ({**inner(event_ts="123.456"), "event_id": None}, "123.456"),
        ({"type": "block_actions", "trigger_id": "7.8.9"}, "7.8.9"),
    ],
)
def test_slacks_own_id_makes_a_retry_the_same_event(payload: dict[str, Any], id: str) -> None:
    assert event_of(payload).id == id
    assert event_of(payload, **{"x-slack-retry-num": "1"}).id == id


def test_a_payload_without_an_id_is_known_by_all_it_says() -> None:
    anonymous = {"type": "url_verification", "token": "t", "challenge": "a"}
    assert event_of(anonymous).id == event_of(anonymous).id != event_of({**anonymous, "challenge": "b"}).id


@pytest.mark.parametrize(
    ("payload", "source"),
    [
        ({"team_id": "T1", "enterprise_id": "E1"}, "urn:slack:T1"),
        ({"team": {"id": "T2"}}, "urn:slack:T2"),
        ({"team": None, "user": {"team_id": "T3"}}, "urn:slack:T3"),
        ({"enterprise": {"id": "E1"}}, "urn:slack:E1"),
        ({}, "urn:slack:unknown"),
    ],
)
def test_the_workspace_is_the_source(payload: dict[str, Any], source: str) -> None:
    assert event_of({"type": "shortcut", **payload}).source == source


@pytest.mark.parametrize(
    ("event_time", "headers", "time"),
    [
        (1767614400, {}, "2026-01-05T12:00:00Z"),
        (None, {"x-slack-request-timestamp": "1767614400"}, "2026-01-05T12:00:00Z"),
        (None, {}, None),
        ("soon", {}, None),
        (10**20, {}, None),
    ],
)
def test_the_time_is_slacks_or_that_of_the_request(event_time: Any, headers: dict[str, str], time: str | None) -> None:
    event = event_of({**inner(), "event_time": event_time}, **headers)
    assert event.to_dict().get("time") == time


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no Slack payload: it has neither a type nor a command"),
        (b"hello", "neither a form nor a JSON object: bad query field: 'hello'"),
        (b"text=%FF", "neither a form nor a JSON object: 'utf-8' codec can't decode byte 0xff in position 0"),
        (b"\xff=1", "neither a form nor a JSON object: 'utf-8' codec can't decode byte 0xff in position 0"),
        (b"&".join([b"a=1"] * 101), "neither a form nor a JSON object: Max number of fields exceeded"),
        (b"{", "not JSON: Input data was truncated"),
        (b"[]", "a Slack payload is a form or a JSON object"),
        (b"payload=%5B%5D", "a Slack payload is a form or a JSON object"),
        (b"payload=%7B", "not JSON: Input data was truncated"),
        (b"{}", "no Slack payload: it has neither a type nor a command"),
        (b'{"type": "event_callback"}', "event: an event_callback without an event"),
        (b'{"type": "event_callback", "event": {"type": 1}}', "event: an event_callback without an event"),
    ],
)
def test_what_is_no_payload_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    refused = read(body)
    assert isinstance(refused, Rejected)
    assert str(refused).startswith(reason)


# Answers


def test_only_a_command_and_a_view_are_waited_for() -> None:
    assert SOURCE.reply_within(command()) == 2.5
    assert SOURCE.reply_within(event_of({"type": "view_submission"})) == 2.5
    assert SOURCE.reply_within(event_of(inner())) is None
    assert SOURCE.reply_within(event_of({"type": "block_actions"})) is None


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (None, {}),
        (Reply("21 °C"), {"response_type": "ephemeral", "text": "21 °C"}),
        (Reply("21 °C", in_channel=True), {"response_type": "in_channel", "text": "21 °C"}),
        (Reply("21 °C", blocks=BLOCKS), {"response_type": "ephemeral", "text": "21 °C", "blocks": BLOCKS}),
        (Reply("21 °C", speech="warm"), {"response_type": "ephemeral", "text": "21 °C"}),
        (Reply(native={"text": "*21*", "mrkdwn": True}), {"text": "*21*", "mrkdwn": True}),
    ],
)
def test_the_answer_to_a_command_is_a_message(reply: Reply | None, answer: dict[str, Any]) -> None:
    assert SOURCE.render(command(), reply) == answer


def test_the_answer_to_a_view_is_what_the_plugin_made_for_slack() -> None:
    view, errors = event_of({"type": "view_submission"}), {"response_action": "errors", "errors": {"until": "past"}}
    assert SOURCE.render(view, Reply(native=errors)) == errors
    assert SOURCE.render(view, Reply("thanks")) == {}


def test_events_are_only_acknowledged() -> None:
    assert SOURCE.render(event_of(inner()), Reply("hi")) == {}


def test_slacks_handshakes_are_answered_without_a_handler() -> None:
    challenge = event_of({"type": "url_verification", "token": "t", "challenge": "abc"})
    assert SOURCE.handshake(challenge)
    assert SOURCE.render(challenge, None) == {"challenge": "abc"}
    assert SOURCE.handshake(event_of({"ssl_check": "1", "token": "t"}))
    assert not SOURCE.handshake(command())


# Replies that come late, or to what nobody waits for


def test_a_late_reply_to_a_command_goes_to_its_response_url() -> None:
    request = SOURCE.follow_up(command(response_url=URL), Reply("21 °C", blocks=BLOCKS))
    assert request
    assert (request.name, request.order) == ("slack", URL)
    assert request.arguments == {
        "response_url": URL,
        "response_type": "ephemeral",
        "text": "21 °C",
        "blocks": BLOCKS,
    }


@pytest.mark.parametrize(
    ("payload", "arguments"),
    [
        (inner(channel="C1"), {"channel": "C1", "text": "hi"}),
        (inner(channel="C1", thread_ts="1.2"), {"channel": "C1", "text": "hi", "thread_ts": "1.2"}),
        ({"type": "block_actions", "channel": {"id": "C2"}}, {"channel": "C2", "text": "hi"}),
        ({"type": "block_actions", "response_url": URL}, {"response_url": URL, "response_type": "ephemeral"}),
    ],
)
def test_a_reply_nobody_waits_for_goes_where_it_was_asked(payload: dict[str, Any], arguments: dict[str, str]) -> None:
    request = SOURCE.follow_up(event_of(payload), Reply("hi"))
    assert request
    assert request.arguments == {"text": "hi", **arguments}


def test_there_is_nothing_to_follow_up_without_words_or_a_place() -> None:
    assert SOURCE.follow_up(command(response_url=URL), Reply(native={"text": "hi"})) is None
    assert SOURCE.follow_up(event_of({"type": "shortcut"}), Reply("hi")) is None


# What nobody listens to

KNOWN = subscriptions(slack.command("/lock {door}"), slack.command("/temp {room}"), slack.event("app_mention"))


@pytest.mark.parametrize(
    ("fields", "known", "answer"),
    [
        ({"command": "/tmp"}, KNOWN, "I do not know `/tmp kitchen`. I know `/lock {door}`, `/temp {room}`."),
        ({"command": "/temp", "text": ""}, KNOWN, "I do not know `/temp`. I know `/temp {room}`."),
        ({"command": "/tmp"}, [], "I do not know `/tmp kitchen`. I know no commands yet."),
    ],
)
def test_an_unknown_command_is_answered_with_those_there_are(
    fields: dict[str, str], known: list[Subscription], answer: str
) -> None:
    assert SOURCE.unmatched(command(**fields), known) == answer


def test_nobody_is_told_of_an_event_nobody_listens_to() -> None:
    assert SOURCE.unmatched(event_of(inner(channel="C1")), KNOWN) is None


@pytest.mark.parametrize(
    ("payload", "decorator"),
    [
        (COMMAND, '@slack.command("/temp")'),
        (inner("reaction_added"), '@slack.event("reaction_added")'),
        (inner("message", bot_id="B1"), '@slack.event("message", bots=True)'),
        ({"type": "view_closed"}, '@cloudevents.event("com.slack.view_closed")'),
        ({"type": "block_actions", "actions": [{"action_id": "snooze"}]}, '@slack.action("snooze")'),
        ({"type": "view_submission", "view": {"callback_id": "guest"}}, '@slack.view("guest")'),
        ({"type": "shortcut", "callback_id": "lights"}, '@slack.shortcut("lights")'),
        ({"type": "message_action", "callback_id": "lights"}, '@slack.shortcut("lights")'),
    ],
)
def test_the_handler_one_would_write_is_suggested(payload: dict[str, Any], decorator: str) -> None:
    first = SOURCE.suggest(event_of(payload)).splitlines()[0]
    assert first == decorator
