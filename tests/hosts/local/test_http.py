"""What the doors of a running platform let in, what they refuse, and how they say so."""

from __future__ import annotations

import gzip
import json
import resource
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from botplatform.errors import BotplatformError, StateUnavailable
from botplatform.hosts.local import simulate
from botplatform.hosts.local.development import alexa_authority, slack_secret
from botplatform.hosts.local.http.access import Access
from botplatform.hosts.local.http.endpoints import Endpoints
from botplatform.hosts.local.http.messages import Response
from botplatform.hosts.local.http.server import HttpServer
from botplatform.hosts.local.platform import Platform
from botplatform.sources.slack import signature
from botplatform.stores.sqlite.inbox import Waiting
from tests.handlers import happened
from tests.hosts.local.fake_slack import FakeSlack
from tests.hosts.local.process import Process
from tests.hosts.local.running import configured, from_alexa, from_slack, log, request, running, state, written
from tests.hosts.local.wire import Wire
from tests.mosquitto import eventually

COUNTER = '''"""Counts what it hears, from everywhere."""

from botplatform import Context, Event, alexa, cloudevents, cloudtrail, slack


@slack.command("/count")
@alexa.intent("CountIntent")
def count(ctx: Context) -> str:
    number = ctx.state.get("count", 0) + 1
    ctx.state["count"] = number
    return f"That was number {number}."


@slack.event("app_mention")
@cloudtrail.event()
@cloudevents.event("com.example.happened")
def hear(event: Event, ctx: Context) -> None:
    ctx.state[f"heard {event.id}"] = event.data if isinstance(event.data, dict) else str(event.data)
'''

# Waits until the test has written a file; `append` shows how often it ran.
PATIENT = '''"""Answers when the gate is open."""

import time
from pathlib import Path

from botplatform import Context, slack


@slack.command("/wait")
@slack.event("app_mention")
def wait(ctx: Context) -> str:
    while not Path({gate!r}).exists():
        time.sleep(0.01)
    ctx.state.add("count")
    return "At last."
'''


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(tmp_path_factory.mktemp("platform"), {"counter": COUNTER}) as platform:
        yield platform


@pytest.fixture
def untouched(platform: Platform) -> Iterator[None]:
    """Nothing may be stored during the test."""
    before = log(platform), state(platform, "counter")
    yield
    assert (log(platform), state(platform, "counter")) == before


def mention(id: str, **more: Any) -> bytes:
    event = {"type": "app_mention", "channel": "C1", "user": "U1", **more}
    return json.dumps({"type": "event_callback", "team_id": "T1", "event_id": id, "event": event}).encode()


def record(number: int, **more: Any) -> dict[str, Any]:
    named = {"eventID": f"record-{number}", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser"}
    return {**named, "eventTime": "2026-01-05T12:00:00Z", "awsRegion": "us-east-1", **more}


def cloud_event(id: str, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": id, "source": "/tests", "type": "com.example.happened", **more}


# Signatures.


def signed_for_slack(platform: Platform, body: bytes, ago: timedelta = timedelta(0)) -> dict[str, str]:
    return signature.sign(slack_secret(platform.settings), body, datetime.now(UTC) - ago)


COMMAND = simulate.slack_command("/count")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "the header x-slack-request-timestamp is missing"),
        ({"x-slack-request-timestamp": "1"}, "the header x-slack-signature is missing"),
        ({"x-slack-request-timestamp": "soon", "x-slack-signature": "v0=0"}, "is no time in seconds"),
        ({"x-slack-request-timestamp": "9" * 400, "x-slack-signature": "v0=0"}, "is no time in seconds"),
        ({"x-slack-request-timestamp": "9" * 5000, "x-slack-signature": "v0=0"}, "is no time in seconds"),
    ],
)
def test_a_slack_request_that_slack_did_not_sign_is_refused(
    platform: Platform, headers: dict[str, str], reason: str
) -> None:
    expect_unverified(platform, headers, reason)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "is SLACK_SIGNING_SECRET that of this Slack app?"),
        ({"x-slack-signature": "v0=\xe9"}, "the signature does not fit the body"),
    ],
)
def test_a_slack_request_that_another_app_signed_is_refused(
    platform: Platform, change: dict[str, str], reason: str
) -> None:
    foreign = signature.sign("the secret of another app", COMMAND, datetime.now(UTC))
    expect_unverified(platform, {**foreign, **change}, reason)


def expect_unverified(platform: Platform, headers: dict[str, str], reason: str) -> None:
    counted = platform.dispatcher.counts["unverified requests to slack"]
    answer = request(f"{platform.url}/slack", COMMAND, headers)
    assert (answer.status, platform.dispatcher.counts["unverified requests to slack"]) == (401, counted + 1)
    assert reason in answer.error


@pytest.mark.usefixtures("untouched")
def test_a_slack_request_from_six_minutes_ago_is_refused(platform: Platform) -> None:
    answer = request(f"{platform.url}/slack", COMMAND, signed_for_slack(platform, COMMAND, timedelta(minutes=6)))
    assert (answer.status, "300 are allowed" in answer.error) == (401, True)


@pytest.mark.usefixtures("untouched")
def test_a_slack_signature_is_good_for_no_other_body(platform: Platform) -> None:
    answer = request(f"{platform.url}/slack", COMMAND + b"&more=1", signed_for_slack(platform, COMMAND))
    assert answer.status == 401


INTENT = simulate.alexa_intent("CountIntent", {}, datetime.now(UTC))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("change", ["unsigned", "another body", "a stranger's address", "a signature that is none"])
def test_an_alexa_request_that_alexa_did_not_sign_is_refused(platform: Platform, change: str) -> None:
    body = simulate.alexa_intent("CountIntent", {}, datetime.now(UTC))
    signed = alexa_authority(platform.settings).sign(body)
    headers = {
        "unsigned": {},
        "another body": alexa_authority(platform.settings).sign(body + b" "),
        "a stranger's address": {**signed, "SignatureCertChainUrl": "https://example.com/echo.api/chain.pem"},
        "a signature that is none": {**signed, "Signature-256": "not base64"},
    }[change]
    counted = platform.dispatcher.counts["unverified requests to alexa"]
    answer = request(f"{platform.url}/alexa", body, headers)
    assert (answer.status, platform.dispatcher.counts["unverified requests to alexa"]) == (401, counted + 1)


@pytest.mark.usefixtures("untouched")
def test_an_alexa_request_from_three_minutes_ago_is_refused(platform: Platform) -> None:
    stale = simulate.alexa_intent("CountIntent", {}, datetime.now(UTC) - timedelta(minutes=3))
    assert from_alexa(platform, stale).status == 401


def test_slack_works_under_any_host_name(platform: Platform) -> None:
    answer = from_slack(platform, simulate.slack_command("/count"), Host="bot.example.com")
    assert answer.json["text"].startswith("That was number")


def test_alexa_gets_its_answer_in_its_own_format(platform: Platform) -> None:
    answer = from_alexa(platform, simulate.alexa_intent("CountIntent", {}, datetime.now(UTC)))
    assert answer.json["response"]["outputSpeech"]["text"].startswith("That was number")


# Bodies.

DEEP = 100_000
NO_EVENT = {
    "empty": b"",
    "cut off": b'{"type": ',
    "no object": b"[1]",
    "nothing": b"null",
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "half a character": b'{"type": "\\ud800"}',
    "an endless number": b'{"type": 1e999}',
}
NO_TEXT = {"bytes": b"\xff\xfe", "bytes in JSON": b'{"type": "\xff"}'}


@pytest.mark.parametrize("body", NO_EVENT.values(), ids=NO_EVENT)
def test_what_slack_signed_and_is_no_event_gets_one_sentence(platform: Platform, body: bytes) -> None:
    rejected = platform.dispatcher.counts["rejected from slack"]
    answer = from_slack(platform, body)
    assert (answer.status, "\n" in answer.error) == (400, False)
    assert platform.dispatcher.counts["rejected from slack"] == rejected + 1


@pytest.mark.parametrize("body", [*NO_EVENT.values(), *NO_TEXT.values()], ids=[*NO_EVENT, *NO_TEXT])
def test_what_is_no_event_gets_one_sentence_and_a_place_in_the_log(platform: Platform, body: bytes) -> None:
    rejected = platform.dispatcher.counts["rejected from an unknown source"]
    answer = request(f"{platform.url}/events", body)
    assert (answer.status, "\n" in answer.error) == (400, False)
    assert platform.dispatcher.counts["rejected from an unknown source"] == rejected + 1
    assert (log(platform)[-1]["verdict"], log(platform)[-1]["reason"]) == ("rejected", answer.error)


def test_a_form_of_bytes_that_are_no_text_is_refused(platform: Platform) -> None:
    answer = from_slack(platform, b"command=%2Fcount&text=%ff&trigger_id=1")
    assert (answer.status, answer.error.startswith("neither a form nor a JSON object")) == (400, True)


def test_a_deeply_nested_slack_event_is_handled_and_logged_without_its_secrets(platform: Platform) -> None:
    deep = mention("deep", token="s3cret").replace(b'"U1"', b"[" * 200 + b"]" * 200)
    assert from_slack(platform, deep).status == 200
    entry = platform.store.log.event(log(platform)[-1]["number"])
    assert entry is not None
    assert (entry["id"], entry["handlers"][0]["status"]) == ("deep", "done")
    data = entry["envelope"]["data"]
    # How deep one can look depends on the Python; below that, nothing is kept rather than a secret.
    assert data == "***" or data["event"]["token"] == "***"


def test_a_slack_event_nested_deeper_than_anything_is_refused(platform: Platform) -> None:
    answer = from_slack(platform, mention("deeper").replace(b'"U1"', b"[" * 700 + b"]" * 700))
    assert (answer.status, answer.json) == (400, {"error": "JSON nested too deeply"})


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
@pytest.mark.parametrize(("path", "size"), [("/slack", 2**20 + 1), ("/alexa", 2**20 + 1), ("/events", 2**25 + 1)])
@pytest.mark.usefixtures("untouched")
def test_a_body_over_the_limit_is_refused(platform: Platform, path: str, size: int, chunked: bool) -> None:
    answer = request(platform.url + path, b"x" * size, chunked=chunked)
    limits = "the body is too large: /slack and /alexa take 1 MiB, /events 32 MiB"
    assert (answer.status, answer.error) == (413, limits)


def test_a_chunked_body_is_read_like_any_other(platform: Platform) -> None:
    body = json.dumps(cloud_event("chunked")).encode()
    assert request(f"{platform.url}/events", body, chunked=True).json == {"accepted": 1, "rejected": []}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/slack", 405), ("POST", "/nowhere", 404)])
def test_what_is_not_served_is_refused_in_json(platform: Platform, method: str, path: str, status: int) -> None:
    answer = request(platform.url + path, method=method)
    assert (answer.status, bool(answer.error)) == (status, True)


def test_a_header_of_another_spelling_is_not_the_token(platform: Platform) -> None:
    """WSGI has one name for X-Console-Token and X_Console_Token; a proxy may let the second one through unseen."""
    headers = {"content-type": "application/json", "X_Console_Token": platform.token}
    assert request(f"{platform.url}/console/api/replay", b"{}", headers).status == 403


def test_a_bug_in_a_page_is_logged_and_shows_nothing_of_itself(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    pages: dict[str, Response] = {}
    server = HttpServer(Endpoints(platform.doors, Access((), ""), lambda request: pages[request.path]), "127.0.0.1", 0)
    try:
        answer = request(f"{server.url}/missing?s3cret")
    finally:
        server.stop()
    assert (answer.status, answer.error) == (500, "the platform failed; its log says why")
    assert "a request to /missing failed" in caplog.messages
    assert "KeyError: '/missing'" in caplog.text


# Slack.


def test_slack_gets_its_challenge_back(platform: Platform) -> None:
    body = json.dumps({"type": "url_verification", "token": "t", "challenge": "3eZbrw1aB"}).encode()
    before = log(platform)
    assert from_slack(platform, body).json == {"challenge": "3eZbrw1aB"}
    assert log(platform) == before


def test_an_unknown_command_is_answered_with_the_known_ones(platform: Platform) -> None:
    answer = from_slack(platform, simulate.slack_command("/coffee black"))
    assert answer.json == {
        "response_type": "ephemeral",
        "text": "I do not know `/coffee black`. I know `/count`.",
    }


def test_a_command_delivered_again_gets_its_first_reply_and_counts_once(platform: Platform) -> None:
    command = simulate.slack_command("/count")
    first, again = from_slack(platform, command), from_slack(platform, command)
    assert (again.status, again.json) == (200, first.json)
    assert from_slack(platform, simulate.slack_command("/count")).json["text"] == _after(first.json["text"])
    assert [entry["deliveries"] for entry in log(platform)[-2:]] == [2, 1]


def _after(text: str) -> str:
    words, _, number = text.rstrip(".").rpartition(" ")
    return f"{words} {int(number) + 1}."


def test_an_event_that_slack_delivers_again_is_handled_once(platform: Platform) -> None:
    for text in ("first", "second"):
        assert from_slack(platform, mention("again", text=text)).body == b""
    assert state(platform, "counter")["heard again"]["event"]["text"] == "first"


# CloudTrail and CloudEvents.


def gzipped(*records: Any) -> bytes:
    return gzip.compress(json.dumps({"Records": records}).encode())


def test_a_cloudtrail_file_is_taken_in_as_aws_writes_it(platform: Platform) -> None:
    answer = request(f"{platform.url}/events", gzipped(record(1), record(2)))
    assert (answer.status, answer.json) == (202, {"accepted": 2, "rejected": []})
    assert {"heard record-1", "heard record-2"} <= state(platform, "counter").keys()


def test_one_bad_record_keeps_no_good_one_out(platform: Platform) -> None:
    answer = request(f"{platform.url}/events", gzipped(record(3), {"eventID": "x"}, record(4)))
    reason = {"where": "$.Records[1]", "reason": "no CloudTrail record: eventSource, eventName missing"}
    assert (answer.status, answer.json) == (202, {"accepted": 2, "rejected": [reason]})
    assert {"heard record-3", "heard record-4"} <= state(platform, "counter").keys()


def test_a_cloudtrail_file_sent_again_counts_once(platform: Platform) -> None:
    body = gzipped(record(5))
    assert [request(f"{platform.url}/events", body).status for _ in range(2)] == [202, 202]
    assert [entry["deliveries"] for entry in log(platform) if entry["id"] == "record-5"] == [2]


def test_a_file_that_was_cut_off_is_refused(platform: Platform) -> None:
    answer = request(f"{platform.url}/events", gzipped(record(6))[:-20])
    assert (answer.status, answer.error) == (400, "the gzip file ends too early: it was cut off, send it again")


STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MODES: dict[str, tuple[dict[str, str], bytes]] = {
    "structured": ({"content-type": STRUCTURED}, json.dumps(cloud_event("structured", data={"a": 1})).encode()),
    "batch": ({"content-type": BATCH}, json.dumps([cloud_event("batch", data={"a": 1})]).encode()),
    "binary": (
        {
            "ce-specversion": "1.0",
            "ce-id": "binary",
            "ce-source": "/tests",
            "ce-type": "com.example.happened",
            "content-type": "application/json",
        },
        b'{"a": 1}',
    ),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_cloudevent_is_heard_in_each_of_the_three_modes(platform: Platform, mode: str) -> None:
    headers, body = MODES[mode]
    assert request(f"{platform.url}/events", body, headers).json == {"accepted": 1, "rejected": []}
    assert state(platform, "counter")[f"heard {mode}"] == {"a": 1}


def test_one_bad_event_in_a_batch_is_named(platform: Platform) -> None:
    batch = [cloud_event("good"), cloud_event("", data=1), cloud_event("better")]
    answer = request(f"{platform.url}/events", json.dumps(batch).encode(), {"content-type": BATCH})
    reason = {"where": "$[1].id", "reason": "id is missing or no text"}
    assert answer.json == {"accepted": 2, "rejected": [reason]}


@pytest.mark.parametrize(
    "body",
    [
        COMMAND,
        INTENT,
        mention("forged"),
        json.dumps(cloud_event("forged", type="com.slack.command")).encode(),
        json.dumps(cloud_event("forged", type="com.amazon.alexa.IntentRequest")).encode(),
    ],
    ids=["command", "intent", "mention", "event of Slack", "event of Alexa"],
)
def test_what_has_to_be_signed_does_not_come_in_unsigned(platform: Platform, body: bytes) -> None:
    before = state(platform, "counter")
    answer = request(f"{platform.url}/events", body)
    assert (answer.status, "has to come from" in answer.error) == (400, True)
    assert (state(platform, "counter"), log(platform)[-1]["verdict"]) == (before, "rejected")


# Whose page asks.


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[bad", ""])
def test_events_are_for_this_machine_under_its_own_name(platform: Platform, host: str) -> None:
    assert request(f"{platform.url}/events", b"{}", {"Host": host}).status == 403


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://[bad", "http://127.0.0.1:1"])
def test_events_are_not_taken_from_a_page_of_another_site(platform: Platform, origin: str) -> None:
    assert request(f"{platform.url}/events", b"{}", {"Origin": origin}).status == 403


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_events_are_not_taken_from_what_a_browser_says_is_another_site(platform: Platform, site: str) -> None:
    assert request(f"{platform.url}/events", b"{}", {"Sec-Fetch-Site": site}).status == 403


@pytest.mark.parametrize("headers", [{}, {"Host": "localhost"}, {"Sec-Fetch-Site": "same-origin"}])
def test_events_are_taken_from_this_machine(platform: Platform, headers: dict[str, str]) -> None:
    body = json.dumps(cloud_event("local")).encode()
    assert request(f"{platform.url}/events", body, headers).status == 202


def test_a_page_of_our_own_may_send_events(platform: Platform) -> None:
    body = json.dumps(cloud_event("own page")).encode()
    assert request(f"{platform.url}/events", body, {"Origin": platform.url}).status == 202


def test_with_a_token_events_are_for_whoever_has_it(tmp_path: Path) -> None:
    body = json.dumps(cloud_event("token")).encode()
    settings = {"BOTPLATFORM_EVENTS_TOKEN": "s3cret", "BOTPLATFORM_ALLOWED_HOSTS": "bot.example.com"}
    with running(tmp_path, {"counter": COUNTER}, **settings) as platform:
        url = f"{platform.url}/events"
        refused = [request(url, body, h) for h in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Basic x"})]
        accepted = request(url, body, {"Authorization": "Bearer s3cret", "Host": "bot.example.com"})
        assert from_slack(platform, simulate.slack_command("/count")).status == 200
    assert [(answer.status, answer.error) for answer in refused] == 3 * [
        (401, "BOTPLATFORM_EVENTS_TOKEN is missing or wrong")
    ]
    assert accepted.status == 202


# Handlers that take longer than the sender waits.


@pytest.fixture
def fake_slack() -> Iterator[FakeSlack]:
    slack = FakeSlack()
    yield slack
    slack.close()


@pytest.fixture
def patient(tmp_path: Path, fake_slack: FakeSlack) -> Iterator[Platform]:
    """A platform whose handler waits until `tmp_path / "open"` is there."""
    gate = tmp_path / "open"
    plugins = {"patient": PATIENT.format(gate=str(gate))}
    with running(tmp_path, plugins, **fake_slack.settings) as platform, ExitStack() as leaving:
        leaving.callback(gate.touch)
        yield platform


def test_a_slow_command_is_acknowledged_and_its_reply_follows(
    tmp_path: Path, patient: Platform, fake_slack: FakeSlack
) -> None:
    answer = from_slack(patient, fake_slack.command("/wait"))
    (tmp_path / "open").touch()
    assert answer.json["text"] == "Still working on it …"
    assert fake_slack.next() == ("/commands/1", {"response_type": "ephemeral", "text": "At last."})
    eventually(lambda: not patient.busy())
    assert (state(patient, "patient"), patient.store.inbox.waiting()) == ({"count": 1}, [])


def test_a_slow_mention_is_acknowledged_and_answered_in_its_channel(
    tmp_path: Path, patient: Platform, fake_slack: FakeSlack
) -> None:
    answer = from_slack(patient, mention("slow"))
    (tmp_path / "open").touch()
    assert (answer.status, answer.body) == (200, b"")
    path, message = fake_slack.next()
    assert (path, message["channel"], message["text"]) == ("/api/chat.postMessage", "C1", "At last.")


def test_deliveries_of_one_command_at_once_run_its_handler_once(
    tmp_path: Path, patient: Platform, fake_slack: FakeSlack
) -> None:
    with ThreadPoolExecutor() as several:
        command = fake_slack.command("/wait")
        answers = [several.submit(from_slack, patient, command) for _ in range(3)]
        eventually(lambda: patient.dispatcher.counts["events"] == 3)
        (tmp_path / "open").touch()
        assert {answer.result().json["text"] for answer in answers} == {"At last."}
    assert state(patient, "patient") == {"count": 1}


def test_a_hundred_slow_commands_at_once_are_all_acknowledged_and_their_replies_follow(
    tmp_path: Path, patient: Platform, fake_slack: FakeSlack
) -> None:
    def ask(number: int) -> Any:
        command = fake_slack.command("/wait").replace(b"1.2.3", b"%d" % number).replace(b"U1", b"U%d" % number)
        return from_slack(patient, command).json["text"]

    with ThreadPoolExecutor(100) as people:
        assert {*people.map(ask, range(100))} == {"Still working on it …"}
    (tmp_path / "open").touch()
    assert [fake_slack.next()[1]["text"] for _ in range(100)] == ["At last."] * 100
    assert state(patient, "patient") == {"count": 100}


@pytest.fixture
def many_files() -> Iterator[None]:
    """A thousand clients and their server in one process have more files open than some systems allow by themselves."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 4096), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
def test_a_thousand_slow_commands_at_once_hold_no_thread_and_nobody_else_up(
    tmp_path: Path, patient: Platform, fake_slack: FakeSlack
) -> None:
    threads = threading.active_count()
    with ExitStack() as hanging_up:
        people = [hanging_up.enter_context(Wire(patient.url)) for _ in range(999)]
        for number, person in enumerate(people):
            body = fake_slack.command("/wait").replace(b"1.2.3", b"%d" % number).replace(b"U1", b"U%d" % number)
            person.post("/slack", body, signed_for_slack(patient, body))
        eventually(lambda: patient.dispatcher.counts["events"] == len(people))
        assert threading.active_count() == threads
        assert request(f"{patient.url}/health", method="GET").status == 200
        assert {person.answer().json["text"] for person in people} == {"Still working on it …"}
    (tmp_path / "open").touch()
    eventually(lambda: state(patient, "patient") == {"count": len(people)})


# Where there is no room.


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Platform]:
    """A platform whose inbox is full of a dead letter."""
    with running(tmp_path, {"counter": COUNTER}, BOTPLATFORM_INBOX_LIMIT="1") as platform:
        platform.dispatcher.give_up(Waiting(happened("dead"), "gone.handler", 5, 0.0))
        yield platform


def test_whoever_comes_while_there_is_no_room_is_told_so_and_nothing_is_taken_in(
    full: Platform,
) -> None:
    answers = [
        from_slack(full, COMMAND),
        from_slack(full, mention("full")),
        from_alexa(full, simulate.alexa_intent("CountIntent", {}, datetime.now(UTC))),
        request(f"{full.url}/events", json.dumps([cloud_event("1"), cloud_event("2")]).encode()),
    ]

    assert [(answer.status, answer.headers["Retry-After"]) for answer in answers] == 4 * [(503, "5")]
    assert {answer.error for answer in answers} == {
        "1 events are in the inbox, as many as BOTPLATFORM_INBOX_LIMIT allows"
    }
    assert full.dispatcher.counts["refused: the limit of inbox is reached"] == 4
    assert (state(full, "counter"), len(log(full))) == ({}, 1)


def test_a_request_with_more_events_than_there_is_room_for_at_a_time_is_taken_in_whole(tmp_path: Path) -> None:
    events = [cloud_event(str(number)) for number in range(40)]
    with running(tmp_path, {"counter": COUNTER}, BOTPLATFORM_IN_FLIGHT="2") as platform:
        answer = request(f"{platform.url}/events", json.dumps(events).encode())
        assert (answer.status, answer.json["accepted"]) == (202, 40)
        assert len(state(platform, "counter")) == 40


# Starting and stopping.


def test_stopping_lets_the_request_under_way_have_its_answer(
    tmp_path: Path, patient: Platform, fake_slack: FakeSlack
) -> None:
    with ThreadPoolExecutor() as others:
        answer = others.submit(from_slack, patient, fake_slack.command("/wait"))
        eventually(patient.busy)
        stopped = others.submit(patient.stop)
        (tmp_path / "open").touch()
        assert answer.result().json["text"] == "At last."
        stopped.result()
    with running(tmp_path, {}) as again:
        assert state(again, "patient") == {"count": 1}


def test_a_full_disk_is_no_excuse_for_a_loss(tmp_path: Path, fake_slack: FakeSlack) -> None:
    written(tmp_path, {"counter": COUNTER})
    process = Process(tmp_path, **fake_slack.settings)
    try:
        url = f"{process.started()}/slack"
        eventually(lambda: "Ctrl-C stops it" in process.log.read_text())  # the disk is full when it has begun
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        body = fake_slack.command("/count")
        signed = signature.sign("the secret", body, datetime.now(UTC))
        refused = request(url, body, signed)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        eventually(lambda: request(url, body, signed).json.get("text") == "That was number 1.")
    finally:
        process.kill()
    assert (refused.status, refused.headers["Retry-After"], "the state cannot be" in refused.error) == (503, "5", True)


def test_stopping_hangs_up_on_who_says_nothing(tmp_path: Path) -> None:
    with running(tmp_path, {}) as platform:
        silent = socket.create_connection(("127.0.0.1", int(platform.url.rpartition(":")[2])))
        request(f"{platform.url}/health", method="GET")  # by now the server knows of both connections
    with silent:
        assert silent.recv(1) == b""


def test_two_platforms_on_one_state_folder_are_one_too_many(platform: Platform) -> None:
    folder = platform.settings.state.parent
    with pytest.raises(StateUnavailable, match=r"is in use by another platform \(process \d+\): stop that one, or"):
        Platform(configured(folder), [])


def test_a_port_in_use_is_said_in_a_sentence(platform: Platform, tmp_path: Path) -> None:
    port = platform.url.rpartition(":")[2]
    second = Platform(configured(tmp_path, BOTPLATFORM_PORT=port), [written(tmp_path, {})], entry_points=False)
    with pytest.raises(BotplatformError, match=rf"cannot listen on 127.0.0.1:{port}: .*; stop what listens there or"):
        second.start()
    second.stop()
