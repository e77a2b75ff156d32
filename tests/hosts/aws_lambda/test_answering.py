"""People who wait: verified, answered in time, and told the rest later; with real signatures, threads and state."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from botplatform import codec
from botplatform.errors import Unauthorized
from botplatform.hosts.aws_lambda.calls import SWEEP
from botplatform.hosts.aws_lambda.delivering import Unfinished
from botplatform.sources.alexa.source import LATE
from botplatform.sources.slack.signature import sign
from botplatform.store import StateKey
from botplatform.stores.dynamodb import DynamoStore
from botplatform.stores.dynamodb.store import GRACE
from tests.effects.conftest import Web
from tests.hosts.aws_lambda.conftest import Aws, Clock, Context, MakeFunction, call
from tests.mosquitto import eventually

SECRET = "s3cret"
BUSY = '''
"""Takes its time."""

import threading

from botplatform import Context, Event, alexa, slack

USES = ["publish"]
gate = threading.Event()
gate.set()
ran = []


@slack.command("/work {job}")
@alexa.intent("TemperatureIntent", samples=["how warm is it"])
def work(event: Event, ctx: Context) -> str:
    ran.append(event.id)
    gate.wait(20)
    ctx.state.add("done", 1)
    ctx.publish("jobs/first", "1")
    ctx.publish("jobs/second", "2")
    return "done"


@slack.command("/break {what}")
def broken(event: Event) -> None:
    raise ValueError("broken")


@slack.event("app_mention")
def mentioned(event: Event, ctx: Context) -> str:
    if not gate.is_set():
        raise ValueError("not yet")
    return "you called?"
'''


@pytest.fixture
def web() -> Iterator[Web]:
    """Slack."""
    web = Web()
    yield web
    web.stop()


@pytest.fixture
def settings(stage: dict[str, str], web: Web) -> dict[str, str]:
    slack = {"SLACK_SIGNING_SECRET": SECRET, "SLACK_API_URL": f"{web.url}/", "SLACK_BOT_TOKEN": "xoxb-1"}
    return {**stage, **slack, "BOTPLATFORM_EVENTS_TOKEN": "t0ken"}


@pytest.fixture
def busy(function: MakeFunction, settings: dict[str, str]) -> Iterator[Any]:
    yield function(settings, "slack", busy=BUSY)
    gate().set()
    for thread in threading.enumerate():
        if thread.name.startswith("attempt "):
            thread.join(10)


def gate() -> threading.Event:
    """What the busy handler waits for."""
    gate: threading.Event = sys.modules["botplatform_plugins.busy"].gate
    return gate


def let_it_finish() -> None:
    """Let a run that was left behind go on to its end, as it does when Lambda thaws the process."""
    gate().set()
    for thread in threading.enumerate():
        if thread.name.startswith("attempt "):
            thread.join(10)


def post(body: bytes, path: str = "/slack", headers: Mapping[str, str] | None = None, method: str = "POST") -> Any:
    """An HTTP request as an HTTP API brings it, signed by Slack unless it has headers of its own."""
    given = sign(SECRET, body, datetime.now(UTC)) if headers is None else headers
    context = {"http": {"method": method, "path": path}, "timeEpoch": time.time() * 1000}
    return {"rawPath": path, "headers": dict(given), "requestContext": context, "body": body.decode()}


def command(text: str, web: Web | None = None, id: str = "1.2.3") -> bytes:
    name, _, rest = text.partition(" ")
    answer = {"response_url": f"{web.url}/respond"} if web else {}
    return urlencode(
        {"command": name, "text": rest, "trigger_id": id, "team_id": "T0", "user_id": "U0"} | answer
    ).encode()


def mention() -> bytes:
    event = {"type": "app_mention", "channel": "C0", "user": "U0", "text": "hello"}
    return codec.encode({"type": "event_callback", "event_id": "Ev1", "team_id": "T0", "event": event})


def said(answer: Any) -> tuple[int, Any]:
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else ""


def jobs_done(settings: Mapping[str, str], aws: Aws) -> int:
    store = DynamoStore(settings["BOTPLATFORM_TABLE"], aws.client("dynamodb"))
    return int(codec.decode(store.read(StateKey("busy", "done")).json or b"0"))


IN_A_HURRY = 1.1  # seconds, of which a tenth is left when the reserve is taken


# In time.


def test_a_command_is_answered_and_its_effects_are_performed(busy: Any, settings: dict[str, str], aws: Aws) -> None:
    status, answer = said(busy(post(command("/work hard")), Context()))

    assert (status, answer["text"]) == (200, "done")
    assert jobs_done(settings, aws) == 1
    assert aws.published == [("jobs/first", b"1"), ("jobs/second", b"2")]
    assert not aws.invoked


def test_a_command_that_comes_twice_is_done_once_and_answered_twice(
    busy: Any, settings: dict[str, str], aws: Aws
) -> None:
    first, second = (said(busy(post(command("/work hard")), Context())) for _ in range(2))

    assert first == second
    assert jobs_done(settings, aws) == 1
    assert len(aws.published) == 2


def test_a_handler_that_fails_is_apologized_for_and_kept_as_a_dead_letter(
    busy: Any, settings: dict[str, str], aws: Aws
) -> None:
    status, answer = said(busy(post(command("/break it")), Context()))

    assert (status, answer["text"]) == (200, "Sorry, that went wrong. It is in the log.")
    (letter,) = aws.letters(settings["BOTPLATFORM_DEAD_LETTERS"])
    assert (letter["handler"], letter["event"]["subject"]) == ("busy.broken", "/break")
    assert "ValueError: broken" in letter["reason"]


def test_an_unknown_command_is_told_which_there_are(busy: Any) -> None:
    status, answer = said(busy(post(command("/wrok hard")), Context()))

    assert (status, answer["text"]) == (200, "I do not know `/wrok hard`. I know `/break {what}`, `/work {job}`.")


def test_a_handshake_is_answered_and_is_no_event(busy: Any, lines: Callable[[], list[Any]]) -> None:
    body = b'{"type": "url_verification", "challenge": "c", "token": "t"}'

    assert said(busy(post(body), Context())) == (200, {"challenge": "c"})
    assert lines() == []


def test_a_mention_is_acknowledged_and_answered_in_its_channel(busy: Any, web: Web) -> None:
    web.answers[0].body, web.answers[0].headers = b'{"ok": true, "ts": "1.1"}', {"Content-Type": "application/json"}

    assert said(busy(post(mention()), Context())) == (200, "")
    assert json.loads(web.requests[0].body)["text"] == "you called?"


# Late.


QUIET = '''
"""Keeps nothing, and takes its time."""

import threading

from botplatform import alexa, slack

gate = threading.Event()


@slack.command("/wait")
@alexa.intent("TemperatureIntent", samples=["how warm is it"])
def wait() -> str:
    gate.wait(20)
    return "done"
'''


def test_what_keeps_nothing_goes_on_where_its_reply_can_follow_and_else_not(
    function: MakeFunction, aws: Aws, web: Web
) -> None:
    skill = call("alexa")["session"]["application"]["applicationId"]
    stateless = {**aws.settings, "SLACK_SIGNING_SECRET": SECRET, "ALEXA_SKILL_ID": skill}
    performs = {"SLACK_API_URL": f"{web.url}/", "BOTPLATFORM_EFFECTS": "slack"}
    slack, alexa = (function({**stateless, **performs}, name, quiet=QUIET) for name in ("slack", "alexa"))

    answer = alexa(call("alexa"), Context(IN_A_HURRY))
    assert answer["response"]["outputSpeech"]["text"] == LATE.text
    assert not aws.invoked
    assert said(slack(post(command("/wait", web)), Context(IN_A_HURRY)))[1]["text"] == "Still working on it …"

    sys.modules["botplatform_plugins.quiet"].gate.set()
    (continuation,) = aws.invoked
    slack(continuation, Context())
    assert [json.loads(request.body)["text"] for request in web.requests] == ["done"]


def test_a_command_that_takes_too_long_is_answered_in_time_and_done_once_by_another_run(
    busy: Any, settings: dict[str, str], aws: Aws, web: Web
) -> None:
    gate().clear()
    assert said(busy(post(command("/work hard", web)), Context(IN_A_HURRY)))[1]["text"] == "Still working on it …"

    let_it_finish()
    assert jobs_done(settings, aws) == 0

    (continuation,) = aws.invoked
    busy(continuation, Context())
    busy(continuation, Context())  # Lambda may do that
    assert jobs_done(settings, aws) == 1
    assert [json.loads(request.body)["text"] for request in web.requests] == ["done"]
    assert aws.published == [("jobs/first", b"1"), ("jobs/second", b"2")]


def test_effects_that_take_too_long_do_not_keep_the_reply_and_are_left_to_another_run(
    busy: Any, settings: dict[str, str], aws: Aws
) -> None:
    aws.holds["iotdata"] = held = threading.Event()
    status, answer = said(busy(post(command("/work hard")), Context(IN_A_HURRY + 0.5)))
    assert (status, answer["text"]) == (200, "done")

    held.set()
    let_it_finish()
    assert aws.published == [("jobs/first", b"1")]

    (continuation,) = aws.invoked
    busy(continuation, Context())
    assert aws.published == [("jobs/first", b"1"), ("jobs/second", b"2")]
    assert jobs_done(settings, aws) == 1


def test_effects_left_to_a_run_that_never_comes_are_performed_by_the_sweep(
    function: MakeFunction, settings: dict[str, str], aws: Aws
) -> None:
    clock = Clock()
    busy = function(settings, "slack", clock, busy=BUSY)
    aws.holds["iotdata"] = held = threading.Event()
    assert said(busy(post(command("/work hard")), Context(IN_A_HURRY + 0.5)))[1]["text"] == "done"

    held.set()
    let_it_finish()
    clock.ahead = 2 * GRACE
    assert busy(SWEEP) == {"performed": 1}
    assert aws.published == [("jobs/first", b"1"), ("jobs/second", b"2")]
    assert jobs_done(settings, aws) == 1


def test_when_nobody_can_go_on_slack_is_told_to_come_back(busy: Any, aws: Aws) -> None:
    gate().clear()
    aws.refuses.add("lambda")

    answer = busy(post(command("/work hard")), Context(IN_A_HURRY))

    assert said(answer) == (503, {"error": "lambda: ServiceUnavailable: come back later"})
    assert answer["headers"]["retry-after"] == "5"


def test_the_time_a_request_was_under_way_counts(busy: Any, aws: Aws) -> None:
    gate().clear()
    request = post(command("/work hard"))
    request["requestContext"]["timeEpoch"] -= 2400

    assert said(busy(request, Context()))[1]["text"] == "Still working on it …"
    assert len(aws.invoked) == 1


def test_a_mention_whose_handler_fails_is_acknowledged_and_tried_again_by_another_run(
    busy: Any, aws: Aws, web: Web
) -> None:
    web.answers[0].body, web.answers[0].headers = b'{"ok": true, "ts": "1.1"}', {"Content-Type": "application/json"}
    gate().clear()
    assert said(busy(post(mention()), Context())) == (200, "")

    (continuation,) = aws.invoked
    with pytest.raises(Unfinished, match=r"busy.mentioned: ValueError: not yet"):
        busy(continuation, Context())
    gate().set()
    busy(continuation, Context())
    assert json.loads(web.requests[0].body)["text"] == "you called?"


def test_while_the_table_is_away_a_command_waits_for_another_run(busy: Any, settings: dict[str, str], aws: Aws) -> None:
    aws.refuses.add("dynamodb")
    status, answer = said(busy(post(command("/work hard")), Context(6.0)))
    assert (status, answer["text"]) == (200, "Still working on it …")

    aws.refuses.clear()
    busy(aws.invoked[0], Context())
    assert jobs_done(settings, aws) == 1


# Refused.


def test_what_slack_did_not_sign_is_refused(busy: Any) -> None:
    forged = sign("another secret", command("/work hard"), datetime.now(UTC))

    status, answer = said(busy(post(command("/work hard"), headers=forged), Context()))

    assert status == 401
    assert "signature" in answer["error"]


def test_without_a_signing_secret_nothing_from_slack_is_taken(function: MakeFunction, settings: dict[str, str]) -> None:
    open_to_all = function({**settings, "SLACK_SIGNING_SECRET": ""}, "slack", busy=BUSY)

    status, answer = said(open_to_all(post(command("/work hard"), headers=sign("", b"", datetime.now(UTC))), Context()))

    assert (status, answer["error"]) == (401, "SLACK_SIGNING_SECRET is not set: nothing from Slack can be verified")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (partial(post, b"x=1", "/nowhere"), 404),
        (partial(post, b"", "/slack", method="GET"), 405),
        (partial(post, b"a=" + b"x" * 1024 * 1024), 413),
        (partial(post, b"neither form nor JSON"), 400),
        (partial(post, b"{}", "/events", {}), 401),
        (partial(post, b"{}", "/events", {"authorization": "Bearer wrong"}), 401),
        (partial(post, b"not JSON", "/events", {"authorization": "Bearer t0ken"}), 400),
        (partial(post, command("/work hard"), "/events", {"authorization": "Bearer t0ken"}), 400),
        (partial(post, b"", "/health", {}, "GET"), 200),
        (partial(post, b"", "/dev/health/", {}, "GET"), 200),
    ],
)
def test_other_requests_are_answered_as_the_local_host_does(
    request_: Callable[[], Any], status: int, busy: Any
) -> None:
    answer = busy(request_(), Context())

    assert answer["statusCode"] == status
    assert set(json.loads(answer["body"])) == ({"status"} if status == 200 else {"error"})


def test_a_function_without_slack_has_no_door_for_it(function: MakeFunction, settings: dict[str, str]) -> None:
    assert function(settings, "mqtt", busy=BUSY)(post(command("/work hard")), Context())["statusCode"] == 404


def test_without_an_events_token_nobody_may_post_events(function: MakeFunction, settings: dict[str, str]) -> None:
    closed = function({**settings, "BOTPLATFORM_EVENTS_TOKEN": ""}, "cloudevents", busy=BUSY)

    assert closed(post(b"{}", "/events", {"authorization": "Bearer "}), Context())["statusCode"] == 401


# Alexa.


@pytest.mark.parametrize("ours", ["", "amzn1.ask.skill.other"])
def test_alexa_is_refused_for_any_skill_but_ours(ours: str, function: MakeFunction, settings: dict[str, str]) -> None:
    alexa = function({**settings, "ALEXA_SKILL_ID": ours}, "alexa", busy=BUSY)

    with pytest.raises(Unauthorized, match="is not in ALEXA_SKILL_ID"):
        alexa(call("alexa"), Context())


def test_alexa_is_answered_in_time_and_the_work_goes_on(
    function: MakeFunction, settings: dict[str, str], aws: Aws
) -> None:
    skill = call("alexa")["session"]["application"]["applicationId"]
    alexa = function({**settings, "ALEXA_SKILL_ID": skill}, "alexa", busy=BUSY)
    gate().clear()

    answer = alexa(call("alexa"), Context(IN_A_HURRY))

    assert answer["response"]["outputSpeech"]["text"] == LATE.text
    let_it_finish()
    alexa(aws.invoked[0], Context())
    assert jobs_done(settings, aws) == 1


def test_alexa_says_that_it_takes_a_while_and_then_the_answer(
    function: MakeFunction, settings: dict[str, str], aws: Aws, web: Web
) -> None:
    request = call("alexa")
    request["context"]["System"].update(apiEndpoint=web.url, apiAccessToken="t0ken")
    skill = request["session"]["application"]["applicationId"]
    alexa = function({**settings, "ALEXA_SKILL_ID": skill}, "alexa", busy=BUSY)
    gate().clear()
    threading.Thread(target=lambda: eventually(lambda: web.requests) or gate().set()).start()

    answer = alexa(request, Context())

    assert answer["response"]["outputSpeech"]["text"] == "done"
    (told,) = web.requests
    assert (told.path, told.headers["authorization"]) == ("/v1/directives", "Bearer t0ken")
    assert json.loads(told.body)["header"]["requestId"] == request["request"]["requestId"]
    assert not aws.invoked
