"""What Alexa sends becomes events, and replies become what Alexa speaks and shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from botplatform import Card, alexa
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.hosts.records import recognized
from botplatform.plugins import Plugins
from botplatform.reply import Reply
from botplatform.source import Raw, masked
from botplatform.subscription import Subscription, subscriptions_of

SOURCE = alexa.SOURCE
SKILL = {"applicationId": "amzn1.ask.skill.1"}
SILENT = ["SessionEndedRequest", "AlexaSkillEvent.SkillEnabled"]


def request(type_: str = "LaunchRequest", **fields: Any) -> dict[str, Any]:
    return {
        "version": "1.0",
        "session": {"sessionId": "session-1", "application": SKILL, "user": {"userId": "user-1"}},
        "request": {"type": type_, "requestId": "request-1", "timestamp": "2026-01-05T12:00:00Z", **fields},
    }


def intent(name: str = "LockIntent", slots: Any = None) -> dict[str, Any]:
    return request("IntentRequest", intent={"name": name, "slots": slots})


def read(body: Any) -> Event | Rejected:
    """The one event in a request."""
    (found,) = SOURCE.normalize(Raw(json.dumps(body).encode()))
    return found


def event_of(body: Any) -> Event:
    event = read(body)
    assert isinstance(event, Event), event
    return event


def subscription(decorate: Callable[[Any], Any]) -> Subscription:
    return subscriptions_of(decorate(lambda: None))[0]


# The envelope


def test_a_request_becomes_an_event_of_its_skill_in_the_order_of_its_session() -> None:
    event = event_of(intent())
    assert event.to_dict() == {
        "specversion": "1.0",
        "id": "request-1",
        "source": "urn:alexa:skill:amzn1.ask.skill.1",
        "type": "com.amazon.alexa.IntentRequest",
        "subject": "LockIntent",
        "time": "2026-01-05T12:00:00Z",
        "datacontenttype": "application/json",
        "partitionkey": "session-1",
        "data": intent(),
    }


def test_a_request_without_a_session_is_of_the_skill_in_its_context() -> None:
    body = {**request("AlexaSkillEvent.SkillEnabled"), "session": None, "context": {"System": {"application": SKILL}}}
    event = event_of(body)
    assert event.source == "urn:alexa:skill:amzn1.ask.skill.1"
    assert event.key is None


VALUES = st.none() | st.integers() | st.text(max_size=2) | st.sampled_from([[], {}, {"name": ""}, {"name": ["x"]}])


def told(found: Event | Rejected) -> Any:
    return (found.reason, found.where) if isinstance(found, Rejected) else found.attributes()


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(
    changes=st.dictionaries(st.sampled_from(["requestId", "type", "timestamp", "intent"]), VALUES, max_size=2),
    session=st.dictionaries(st.just("sessionId"), VALUES),
    more=st.sampled_from([{}, {"directive": {}}]),
)
def test_any_values_make_the_same_event_wherever_the_skill_is_named(
    changes: dict[str, Any], session: dict[str, Any], more: dict[str, Any]
) -> None:
    body = {**intent(), **more, "session": {"sessionId": "1", **session}}
    body["request"] |= changes
    in_session = {**body, "session": {**body["session"], "application": SKILL}}
    in_context = {**body, "context": {"System": {"application": SKILL}}}
    assert told(read(in_session)) == told(read(in_context))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "request: no Alexa request: it has no object 'request'"),
        ({"request": "x"}, "request: no Alexa request: it has no object 'request'"),
        (request(requestId=""), "request.requestId: requestId is missing"),
        (request(requestId=7), "request.requestId: requestId is missing"),
        (request(type=None), "request.type: type is missing"),
        (request("IntentRequest"), "request.intent.name: an IntentRequest without an intent name"),
        (intent(""), "request.intent.name: an IntentRequest without an intent name"),
        (request(timestamp="noon"), "time: time 'noon' is no RFC 3339 timestamp with a time zone"),
        (
            {"directive": {"header": {"namespace": "Alexa.Discovery"}}},
            "directive: an Alexa Smart Home directive; only requests to custom skills are understood",
        ),
    ],
)
def test_what_is_no_request_to_a_custom_skill_is_refused_with_the_reason(body: Any, reason: str) -> None:
    refused = read(body)
    assert isinstance(refused, Rejected)
    assert str(refused) == reason


def test_no_json_is_refused() -> None:
    (refused,) = SOURCE.normalize(Raw(b"hello"))
    assert str(refused).startswith("not JSON: ")


def test_what_gives_access_to_somebodys_account_is_masked_where_an_event_is_shown() -> None:
    body = request()
    user = {"accessToken": "secret-2", "permissions": {"consentToken": "secret-3"}}
    body["context"] = {"System": {"apiAccessToken": "secret-1", "user": user}}
    shown = masked(event_of(body), SOURCE.secrets)
    assert b"secret" not in shown
    assert b'"apiAccessToken":"***"' in shown


# The samples of AWS


def sam_samples(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Templates whose placeholders stand as they are, or as numbers where no text can."""
    texts = [(path.name, path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [(name, json.loads(re.sub(r"(?<!\")\{\{\{\w+\}\}\}(?!\")", "1", text))) for name, text in texts]


def test_the_sample_requests_to_custom_skills_become_valid_events(
    shared_data: Path, envelope_schema: Draft7Validator
) -> None:
    samples = sam_samples(shared_data / "events" / "sam-cli" / "alexa-skills-kit")
    assert len(samples) == 6
    for _, body in samples:
        assert recognized(Plugins().sources, Raw(json.dumps(body).encode())).name == "alexa"
        event = event_of(body)
        assert event.data == body
        envelope_schema.validate(json.loads(event.to_json()))


def test_the_sample_directives_to_smart_homes_are_refused_with_a_sentence(shared_data: Path) -> None:
    samples = sam_samples(shared_data / "events" / "sam-cli" / "alexa-smart-home")
    assert len(samples) == 3
    for _, body in samples:
        assert isinstance(read(body), Rejected)
        with pytest.raises(Rejected, match=r"^no source recognizes this \(header, payload\)$"):
            recognized(Plugins().sources, Raw(json.dumps(body).encode()))


def test_a_directive_of_today_is_recognized_and_refused_with_a_sentence() -> None:
    body = json.dumps({"directive": {"header": {"namespace": "Alexa.PowerController"}}}).encode()
    assert recognized(Plugins().sources, Raw(body)).name == "alexa"
    (refused,) = SOURCE.normalize(Raw(body))
    assert isinstance(refused, Rejected)


# Slots


def resolution(code: str, *names: str) -> dict[str, Any]:
    return {"status": {"code": code}, "values": [{"value": {"name": name, "id": name.upper()}} for name in names]}


def resolved(*authorities: dict[str, Any]) -> dict[str, Any]:
    return {"name": "door", "value": "the big one", "resolutions": {"resolutionsPerAuthority": list(authorities)}}


@pytest.mark.parametrize(
    ("slot", "value"),
    [
        ({"name": "door", "value": "front door"}, "front door"),
        ({"name": "door"}, ""),
        ({"name": "door", "value": None}, ""),
        (None, ""),
        (resolved(resolution("ER_SUCCESS_MATCH", "garage", "barn")), "garage"),
        (resolved(resolution("ER_SUCCESS_NO_MATCH"), resolution("ER_SUCCESS_MATCH", "barn")), "barn"),
        (resolved(resolution("ER_SUCCESS_NO_MATCH")), "the big one"),
        (resolved(resolution("ER_SUCCESS_MATCH")), "the big one"),
        (resolved(), "the big one"),
        ({"name": "door", "value": "gate", "resolutions": "broken"}, "gate"),
    ],
)
def test_a_slot_is_what_it_resolved_to_else_what_was_said(slot: Any, value: str) -> None:
    lock = subscription(alexa.intent("LockIntent", samples=["lock the {door}"], slots={"door": "DOOR"}))
    assert lock.bind(event_of(intent(slots={"door": slot}))) == {"door": value}


@pytest.mark.parametrize("slots", [None, {}, []])
def test_a_slot_nobody_filled_is_empty(slots: Any) -> None:
    lock = subscription(alexa.intent("LockIntent", slots={"door": "DOOR"}))
    assert lock.bind(event_of(intent(slots=slots))) == {"door": ""}


# Answers


def answer(reply: Reply | None, body: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(SOURCE.render(event_of(body or intent()), reply))


def test_words_are_spoken_and_end_the_session() -> None:
    assert answer(Reply("It is locked.")) == {
        "version": "1.0",
        "sessionAttributes": {},
        "response": {"outputSpeech": {"type": "PlainText", "text": "It is locked."}, "shouldEndSession": True},
    }


def test_speech_is_spoken_in_place_of_text() -> None:
    assert answer(Reply("21 °C", speech="warm"))["response"]["outputSpeech"]["text"] == "warm"


def test_ssml_is_spoken_as_such() -> None:
    ssml = "<speak>It is <emphasis>hot</emphasis>.</speak>"
    assert answer(Reply("hot", speech=ssml))["response"]["outputSpeech"] == {"type": "SSML", "ssml": ssml}


def test_a_card_is_shown() -> None:
    reply = Reply("It is locked.", card=Card("Front door", "locked since noon"))
    card = {"type": "Simple", "title": "Front door", "content": "locked since noon"}
    assert answer(reply)["response"]["card"] == card


def test_a_reprompt_keeps_the_session_open() -> None:
    response = answer(Reply("Which door?", reprompt="Front or back?"))["response"]
    assert response["reprompt"] == {"outputSpeech": {"type": "PlainText", "text": "Front or back?"}}
    assert response["shouldEndSession"] is False


def test_a_session_that_remembers_something_goes_on() -> None:
    rendered = answer(Reply("Which door?", session={"asked": "door"}))
    assert rendered["sessionAttributes"] == {"asked": "door"}
    assert rendered["response"]["shouldEndSession"] is False


@pytest.mark.parametrize(
    ("reply", "ends"),
    [
        (Reply("Bye.", reprompt="Still there?", end_session=True), True),
        (Reply("Go on.", end_session=False), False),
    ],
)
def test_a_plugin_decides_by_hand_whether_the_session_ends(reply: Reply, ends: bool) -> None:
    assert answer(reply)["response"]["shouldEndSession"] is ends


def test_an_answer_in_alexas_own_format_is_kept() -> None:
    native = {"version": "1.0", "response": {"directives": []}}
    assert answer(Reply(native=native)) == native


@pytest.mark.parametrize("type_", SILENT)
def test_what_nobody_waits_for_is_answered_with_nothing(type_: str) -> None:
    assert SOURCE.reply_within(event_of(request(type_))) is None
    assert answer(Reply("Bye."), request(type_)) == {"version": "1.0", "response": {}}


def test_everything_else_is_waited_for_seven_of_alexas_eight_seconds() -> None:
    assert SOURCE.reply_within(event_of(intent())) == SOURCE.reply_within(event_of(request())) == 7.0


def test_no_reply_is_an_empty_answer() -> None:
    assert answer(None) == {"version": "1.0", "response": {}}


# What nobody listens to

KNOWN = [
    subscription(alexa.intent("LockIntent", samples=["lock the {door}", "close it"], slots={"door": "DOOR"})),
    subscription(alexa.intent("DoorIntent", samples=["is the {door} locked"], slots={"door": "DOOR"})),
    subscription(alexa.launch()),
]
OFFER = "You can say: lock the door, or: is the door locked."


@pytest.mark.parametrize(
    ("body", "known", "reply"),
    [
        (intent("OtherIntent"), KNOWN, Reply(f"I did not understand that. {OFFER}", reprompt=OFFER)),
        (request("LaunchRequest"), KNOWN, Reply(OFFER, reprompt=OFFER)),
        (intent("AMAZON.HelpIntent"), KNOWN, Reply(OFFER, reprompt=OFFER)),
        (intent("OtherIntent"), [], Reply("I cannot do anything yet.", end_session=True)),
        (intent("AMAZON.StopIntent"), KNOWN, Reply("Goodbye.", end_session=True)),
        (intent("AMAZON.CancelIntent"), [], Reply("Goodbye.", end_session=True)),
        (request("SessionEndedRequest"), KNOWN, None),
    ],
)
def test_what_nobody_handles_is_answered_with_what_one_can_say(
    body: dict[str, Any], known: list[Subscription], reply: Reply | None
) -> None:
    assert SOURCE.unmatched(event_of(body), known) == reply


@pytest.mark.parametrize(
    ("body", "decorator"),
    [
        (intent("LockIntent"), '@alexa.intent("LockIntent", samples=["…"])'),
        (request("LaunchRequest"), "@alexa.launch()"),
        (request("SessionEndedRequest"), "@alexa.session_ended()"),
    ],
)
def test_the_handler_one_would_write_is_suggested(body: dict[str, Any], decorator: str) -> None:
    assert SOURCE.suggest(event_of(body)).splitlines()[0] == decorator
