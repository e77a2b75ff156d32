"""What the console tells over HTTP, what it takes in, and from whom."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import botplatform.console
from tests.console.session import Session, connected
from tests.hosts.local.running import from_slack, log, request, running
from tests.mosquitto import eventually

SLACK = {"user": "U0ANN", "text": "/temp kitchen"}
FILES = [
    path for path in Path(botplatform.console.__file__).parent.rglob("*") if path.suffix in (".html", ".css", ".js")
]


def test_the_front_door_leads_to_the_console(console: Session) -> None:
    answer = console.get("/")
    assert (answer.status, answer.headers["Location"]) == (302, "/console/")


@pytest.mark.parametrize(
    "path", ["/console/", "/console/api/events", "/console/static/console.js", "/console/api/events/0"]
)
def test_the_browser_is_told_to_trust_nothing_but_our_own_files(console: Session, path: str) -> None:
    headers = console.get(path).headers
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy.pop("img-src") == "'self' data:"
    assert {name for name, value in policy.items() if value == "'self'"} == {"script-src", "style-src", "connect-src"}
    assert {name for name, value in policy.items() if value == "'none'"} == {
        "default-src",
        "base-uri",
        "form-action",
        "frame-ancestors",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/console/", "/console/api/events", "/console/api/outbox", "/console/api/plugins"])
def test_nothing_that_changes_is_cached(console: Session, path: str) -> None:
    assert console.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(file: Path) -> None:
    text = file.read_text().replace("xmlns='http://www.w3.org/2000/svg'", "")
    assert not re.search(r"https?:|//[a-z]+\.|@import|\bstyle=|\son[a-z]+=|innerHTML|<script>", text)


def test_an_event_tells_what_became_of_it(console: Session) -> None:
    number = console.happen("sensors/kitchen/temperature", '{"celsius": 21.5}')
    event = console.events()[0]
    assert (event["number"], event["kind"], event["subject"]) == (number, "mqtt", "sensors/kitchen/temperature")
    assert (event["brief"], event["deliveries"]) == ('{"celsius":21.5}', 1)
    handlers = {handler["handler"]: handler["status"] for handler in event["handlers"]}
    assert handlers == dict.fromkeys(("room_temperature.remember", "too_hot.warn", "morning_digest.collect"), "done")


def test_only_what_came_after_a_number_is_told(console: Session) -> None:
    first = console.happen("locks/attic-door/state", "locked")
    second = console.happen("locks/attic-door/state", "unlocked")
    told = console.get(f"/console/api/events?after={first}").json["events"]
    assert [event["number"] for event in told] == [second]


def test_only_the_latest_are_told(console: Session) -> None:
    console.happen("locks/attic-door/state", "locked")
    latest = console.happen("locks/attic-door/state", "unlocked")
    told = console.get("/console/api/events?limit=1").json["events"]
    assert [event["number"] for event in told] == [latest]


@pytest.mark.parametrize("query", ["after=x&limit=y", "after=-1&limit=-1", f"after={10**30}&limit={10**30}"])
def test_a_nonsensical_range_is_read_as_well_as_it_can_be(console: Session, query: str) -> None:
    assert console.get(f"/console/api/events?{query}").status == 200


def test_the_details_hold_the_envelope_with_its_record(console: Session) -> None:
    number = console.happen("sensors/kitchen/temperature", '{"celsius": 21.5}')
    envelope = console.details(number)["envelope"]
    assert envelope["data"] == {"celsius": 21.5}
    assert envelope["type"] == "org.mqtt.message"


def test_secrets_are_masked(console: Session) -> None:
    console.post("slack", SLACK)
    details = console.get(f"/console/api/events/{console.events()[0]['number']}")
    assert details.json["envelope"]["data"]["response_url"] == "***"
    assert b"hooks.slack.com" not in details.body


def test_what_no_handler_took_shows_the_handler_one_would_write_and_why_the_others_did_not(console: Session) -> None:
    number = console.happen("sensors/kitchen/temprature", '{"celsius": 21.5}')
    details = console.details(number)
    assert details["reason"] == "no handler listens to it; the nearest listens to sensors/{room}/temperature"
    assert details["suggestion"].startswith('@mqtt.topic("sensors/{name}/temprature")\ndef ')
    reasons = {one["handler"]: one["why"] for one in details["explanations"]}
    assert reasons["too_hot.warn"] == "topic 'sensors/kitchen/temprature' does not fit 'sensors/+/temperature'"
    assert "help.answer" not in reasons


def test_a_handler_that_took_it_needs_no_advice(console: Session) -> None:
    assert "suggestion" not in console.details(console.happen("sensors/kitchen/temperature", '{"celsius": 21.5}'))


def test_what_is_no_event_tells_why(console: Session) -> None:
    headers = {"Content-Type": "application/cloudevents+json"}
    request(f"{console.platform.url}/events", b'{"specversion": "1.0", "id": "1"}', headers)
    log(console.platform)
    event = console.events()[0]
    assert (event["kind"], event["verdict"]) == ("cloudevents", "rejected")
    assert event["reason"] == "source: source is missing or no text"
    assert console.details(event["number"])["envelope"] is None


def test_an_event_that_is_put_off_tells_until_when_and_why(console: Session) -> None:
    number = console.happen("moody/later", "1", done=lambda event: event["handlers"])
    [handler] = console.details(number)["handlers"]
    assert (handler["status"], handler["attempts"], handler["reason"]) == ("waiting", 1, "the pump does not answer")
    assert handler["due"] > time.time() + 3000


def test_a_dead_letter_tells_why(console: Session) -> None:
    number = console.happen(
        "moody/never", "1", done=lambda event: [h for h in event["handlers"] if h["status"] == "dead"]
    )
    [handler] = console.details(number)["handlers"]
    assert (handler["attempts"], handler["reason"]) == (5, "the pump is gone")


def test_an_effect_that_was_given_up_tells_why(console: Session) -> None:
    number = console.happen("moody/page", "1", done=lambda event: event["handlers"])
    [effect] = console.details(number)["handlers"][0]["effects"]
    assert (effect["name"], effect["status"]) == ("pager", "given up")
    assert effect["result"] == {"reason": "nobody has no pager"}


def test_a_redelivery_is_counted(console: Session) -> None:
    body = b"command=%2Fhelp&team_id=T1&user_id=U1&trigger_id=again"
    for _ in range(3):
        from_slack(console.platform, body)
    log(console.platform)
    assert console.events()[0]["deliveries"] == 3


def test_suppressed_effects_are_told(console: Session) -> None:
    console.happen("sensors/sauna/temperature", '{"celsius": 80}')
    number = console.happen("sensors/sauna/temperature", '{"celsius": 81}')
    warned = next(h for h in console.details(number)["handlers"] if h["handler"] == "too_hot.warn")
    assert warned["suppressed"] == ["text to owner: at most one in 1 h"]


def test_an_event_that_is_not_there_is_not_found(console: Session) -> None:
    for number in (10**6, 10**30):
        answer = console.get(f"/console/api/events/{number}")
        assert (answer.status, answer.error) == (404, f"there is no event {number}")


def test_texts_slack_messages_and_publishes_are_in_the_outbox(console: Session) -> None:
    console.happen("sensors/oven/temperature", '{"celsius": 90}')
    console.post("slack", {"user": "U0ANN", "text": "/unlock shed"})
    console.post("slack", {"user": "U0ANN", "text": "what can you do?"})
    eventually(lambda: not console.platform.busy())
    outbox = console.get("/console/api/outbox").json
    assert outbox["text"][0]["arguments"] == {"to": "owner", "body": "It is 90 °C in the oven!"}
    assert outbox["text"][0]["result"]["number"] == "+15550100"
    assert outbox["publish"][0]["arguments"]["topic"] == "locks/shed/set"
    assert "Lists in Slack" in outbox["slack"][0]["arguments"]["text"]


def test_plugins_tell_what_they_do_and_listen_to(console: Session) -> None:
    loaded = {plugin["name"]: plugin for plugin in console.get("/console/api/plugins").json["loaded"]}
    digest = loaded["morning_digest"]
    assert digest["summary"].startswith("Posts each weekday morning to Slack")
    topic, schedule = digest["listens"]
    assert (topic["handler"], topic["source"]) == ("morning_digest.collect", "mqtt")
    assert topic["summary"] == "sensors/{room}/temperature"
    assert schedule["next"] > time.time()
    asked = loaded["room_temperature"]["listens"][-1]
    assert (asked["intent"], asked["slots"]) == ("TemperatureIntent", ["room"])


def test_a_plugin_that_cannot_be_loaded_tells_why(console: Session) -> None:
    [mistake] = console.get("/console/api/plugins").json["mistakes"]
    assert "mistaken.py:2" in mistake
    assert "did you mean 'mqtt'?" in mistake


def test_the_status_tells_where_everything_goes_and_what_was_counted(console: Session) -> None:
    console.happen("nobody/listens", "1")
    status = console.get("/console/api/events").json["status"]
    assert status["mqtt"] == {"url": console.platform.mqtt_url, "connected": True}
    assert (status["destinations"]["text"], status["destinations"]["slack"]) == ("the outbox", "the outbox")
    assert status["counts"]["unmatched"] >= 1
    assert status["uptime"] > 0


def test_a_command_goes_through_slacks_door(console: Session) -> None:
    console.happen("sensors/kitchen/temperature", '{"celsius": 21.5}')
    answer = console.post("slack", SLACK)
    assert answer.json == {"response_type": "ephemeral", "text": "It is 21.5 °C in the kitchen."}
    event = console.events()[0]
    assert (event["type"], event["brief"]) == ("com.slack.command", "kitchen")
    assert console.details(event["number"])["envelope"]["data"]["user_id"] == "U0ANN"


def test_words_that_are_no_command_mention_the_bot(console: Session) -> None:
    console.post("slack", {"user": "U0ANN", "text": "what can you do?"})
    event = console.events()[0]
    assert (event["type"], event["brief"]) == ("com.slack.event.app_mention", "what can you do?")


def test_an_intent_goes_through_alexas_door(console: Session) -> None:
    console.happen("sensors/kitchen/temperature", '{"celsius": 21.5}')
    answer = console.post("alexa", {"intent": "TemperatureIntent", "slots": {"room": "kitchen"}, "session": None})
    assert answer.json["response"]["outputSpeech"]["text"] == "It is 21.5 °C in the kitchen."
    assert console.events()[0]["brief"] == "kitchen"


def test_the_skill_can_be_opened_without_an_intent(console: Session) -> None:
    answer = console.post("alexa", {"intent": "", "slots": {}, "session": None})
    assert "You can say:" in answer.json["response"]["outputSpeech"]["text"]


def test_a_session_with_alexa_goes_on(console: Session) -> None:
    counted = {"intent": "CountIntent", "slots": {}}
    first = console.post("alexa", {**counted, "session": None}).json
    second = console.post("alexa", {**counted, "session": first["sessionAttributes"]}).json
    assert second["response"]["outputSpeech"]["text"] == "2"


def test_nobody_speaks_as_alexa_where_amazon_does(tmp_path: Path) -> None:
    with running(tmp_path, {}, ALEXA_SKILL_ID="amzn1.ask.skill.1") as platform:
        console = Session(platform)
        assert console.get("/console/api/plugins").json["alexa_off"] == _ALEXA_OFF
        answer = console.post("alexa", {"intent": "", "slots": {}, "session": None})
        assert (answer.status, answer.error) == (400, _ALEXA_OFF)
        assert log(platform) == []


_ALEXA_OFF = "only Amazon can sign for the skill in ALEXA_SKILL_ID"


def test_a_device_publishes_through_the_broker(console: Session) -> None:
    message = {"topic": "locks/cellar-door/state", "payload": "locked", "qos": 2, "retain": False}
    assert console.post("mqtt", message).json == {}
    eventually(lambda: console.events()[0]["subject"] == "locks/cellar-door/state")


def test_a_device_cannot_publish_to_a_wildcard(console: Session) -> None:
    answer = console.post("mqtt", {"topic": "locks/+/state", "payload": "", "qos": 1, "retain": False})
    assert (answer.status, answer.error) == (400, "topic: 'locks/+/state' is no topic to publish to")


def test_a_device_is_told_when_there_is_no_broker(tmp_path: Path) -> None:
    with running(tmp_path, {}, MQTT_URL="mqtt://127.0.0.1:1") as platform:
        console = Session(platform)
        assert not connected(platform)
        answer = console.post("mqtt", {"topic": "a", "payload": "", "qos": 1, "retain": False})
        assert (answer.status, answer.error) == (503, "there is no connection to mqtt://127.0.0.1:1")
        assert not console.get("/console/api/events").json["status"]["mqtt"]["connected"]


@pytest.mark.parametrize(
    ("box", "body", "reason"),
    [
        ("slack", b"{", "not JSON"),
        ("slack", {"user": "U1"}, "missing required field `text`"),
        ("slack", {"user": "U1", "text": 1}, "Expected `str`, got `int`"),
        ("alexa", {"intent": "A", "slots": {"a": 1}, "session": None}, "Expected `str`, got `int`"),
        ("mqtt", {"topic": "a", "payload": "", "qos": 3, "retain": False}, "wanted 0, 1 or 2"),
        ("mqtt", ["a"], "Expected `object`, got `array`"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(console: Session, box: str, body: Any, reason: str) -> None:
    answer = console.post(box, body)
    assert answer.status == 400
    assert reason in answer.error


def test_what_is_too_large_is_refused(console: Session) -> None:
    assert console.post("slack", {**SLACK, "text": "x" * 600_000}).status == 413


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Host": "evil.example"}, 403, "not for evil.example"),
        ({"Origin": "https://evil.example"}, 403, "not from a page of https://evil.example"),
        ({"Origin": "http://127.0.0.1:1"}, 403, "not from a page of http://127.0.0.1:1"),
        ({"Origin": "null"}, 403, "not from a page of null"),
        ({"Sec_Fetch_Site": "cross-site"}, 403, "not from a page of another site"),
        ({"Sec_Fetch_Site": "same-site"}, 403, "not from a page of another site"),
        ({"X_Console_Token": ""}, 403, "the token of the console is missing or old"),
        ({"X_Console_Token": "guessed"}, 403, "the token of the console is missing or old"),
        ({"X_Console_Token": "gu\xeb\xdfed"}, 403, "the token of the console is missing or old"),
        ({"Content_Type": "text/plain"}, 415, "application/json"),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    ],
)
@pytest.mark.parametrize(
    "box", ["slack", "alexa", "mqtt", "dead-letters/drop", "dead-letters/1/edit", "replay", "backup"]
)
def test_nobody_but_our_own_page_can_speak(
    console: Session, box: str, headers: dict[str, str], status: int, reason: str
) -> None:
    before = log(console.platform)
    body = {**SLACK, "intent": "", "slots": {}, "session": None, "topic": "a", "payload": "", "qos": 0, "retain": False}
    answer = console.post(box, body, **headers)
    assert answer.status == status
    assert reason in answer.error
    assert log(console.platform) == before


@pytest.mark.parametrize("path", ["/", "/console/", "/console/api/events", "/console/static/console.js"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_nobody_but_our_own_page_can_look(console: Session, path: str, headers: dict[str, str]) -> None:
    answer = console.get(path, **headers)
    assert (answer.status, list(json.loads(answer.body))) == (403, ["error"])


def test_the_token_is_new_in_each_process(console: Session, tmp_path: Path) -> None:
    with running(tmp_path, {}) as platform:
        assert Session(platform).token != console.token
