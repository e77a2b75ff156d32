"""Alexa's requests as events, and replies as Alexa wants them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from botplatform import codec
from botplatform.attributes import check_time, is_usual_time
from botplatform.errors import Rejected
from botplatform.event import NO_EXTENSIONS, Event
from botplatform.reply import Reply
from botplatform.source import Post, Raw, Source, quoted
from botplatform.subscription import Subscription

# Alexa Skills Kit, "Request and Response JSON Reference": 8 seconds, of which the network keeps some.
REPLY_WITHIN = 7.0
# Nothing can be said later without being asked.
LATE = Reply("I am still working on it. Ask me again in a moment.")
_TYPE = "com.amazon.alexa."
_SKILL = "urn:alexa:skill:"
# What nearly every intent has; not to ask for one after the other is what makes most of them cheap.
_usual = itemgetter("requestId", "type", "timestamp", "intent")
_SILENT = (f"{_TYPE}SessionEndedRequest", f"{_TYPE}AlexaSkillEvent.")


def normalize(raw: Raw) -> Iterator[Event | Rejected]:
    """The one event in a request of Alexa's to a custom skill."""
    try:
        return iter((_event(codec.received(raw.body)),))  # to drop a generator in the middle costs more
    except Rejected as rejected:
        return iter((rejected,))


def recognizes(value: Any) -> bool:
    """Whether a decoded record looks like a request to a skill."""
    if not isinstance(value, dict):
        return False
    smart_home = isinstance(value.get("directive"), dict) and "header" in value["directive"]
    request = value.get("request")
    return smart_home or (isinstance(request, dict) and "requestId" in request and "type" in request)


def _event(body: Any) -> Event:
    try:
        request, session = body["request"], body["session"]
        id, kind, time, intent = _usual(request)
        skill, partition, name = session["application"]["applicationId"], session["sessionId"], intent["name"]
        if (
            type(id) is type(kind) is type(time) is type(skill) is type(partition) is type(name) is str
            and (id and kind and time and skill and partition and name and "directive" not in body)
            and is_usual_time(time)
        ):
            key = MappingProxyType({"partitionkey": partition})
            return Event.of_record(id, f"{_SKILL}{skill}", _TYPE + kind, name, time, body, key)
    except (LookupError, TypeError, ValueError):
        pass
    return _of_unusual(body)


def _of_unusual(body: Any) -> Event:
    """The same, looking closely: at what lacks something that nearly every intent has."""
    request, session = _request(body), _object(body, "session")
    id, kind, time = _text(request, "requestId"), _text(request, "type"), _text(request, "timestamp")
    if not id or not kind:
        missing = "type" if id else "requestId"
        raise Rejected(f"{missing} is missing", f"request.{missing}")
    if time:
        check_time(time)
    partition = _text(session, "sessionId") or _text(_object(session, "user"), "userId")
    key = MappingProxyType({"partitionkey": partition}) if partition else NO_EXTENSIONS
    source = f"{_SKILL}{application(body) or 'unknown'}"
    return Event.of_record(id, source, _TYPE + kind, _subject(request, kind), time, body, key)


def _request(body: Any) -> dict[str, Any]:
    if type(body) is dict and "directive" in body:
        raise Rejected("an Alexa Smart Home directive; only requests to custom skills are understood", "directive")
    request = body.get("request") if type(body) is dict else None
    if type(request) is not dict:
        raise Rejected("no Alexa request: it has no object 'request'", "request")
    return request


def _subject(request: dict[str, Any], kind: str) -> str | None:
    name = _text(_object(request, "intent"), "name")
    if kind == "IntentRequest" and name is None:
        raise Rejected("an IntentRequest without an intent name", "request.intent.name")
    return name


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """The object in a field, an empty one where there is none."""
    value = fields.get(name)
    return value if type(value) is dict else {}


def _text(fields: dict[str, Any], name: str) -> str | None:
    """The text in a field; None where there is none or an empty one."""
    value = fields.get(name)
    return value if value and type(value) is str else None


def application(body: Any) -> str | None:
    """The id of the skill a request is for."""
    return _skill(_object(body, "session")) or _skill(_object(_object(body, "context"), "System"))


def _skill(place: dict[str, Any]) -> str | None:
    return _text(_object(place, "application"), "applicationId")


def reply_within(event: Event) -> float | None:
    """Somebody listens for the answer to everything but the news that the session ended."""
    return None if event.type.startswith(_SILENT) else REPLY_WITHIN


def render(event: Event, reply: Reply | None) -> Mapping[str, Any]:
    """The response body. A session goes on where the reply asks again or remembers something, else it ends."""
    if reply is not None and reply.native is not None:
        return reply.native
    if reply is None or event.type.startswith(_SILENT):
        return {"version": "1.0", "response": {}}
    ends = reply.end_session if reply.end_session is not None else not (reply.reprompt or reply.session)
    response: dict[str, Any] = {"shouldEndSession": ends}
    speech = reply.speech or reply.text
    if speech:
        response["outputSpeech"] = _speech(speech)
    if reply.reprompt:
        response["reprompt"] = {"outputSpeech": _speech(reply.reprompt)}
    if reply.card:
        response["card"] = {"type": "Simple", "title": reply.card.title, "content": reply.card.text}
    return {"version": "1.0", "sessionAttributes": {**reply.session} if reply.session else {}, "response": response}


def meanwhile(event: Event) -> Post | None:
    """What has Alexa say that it takes a while, before the answer is there."""
    from botplatform.sources.alexa import progressive

    return progressive.meanwhile(event)


def _speech(words: str) -> dict[str, str]:
    if words.startswith("<speak>"):
        return {"type": "SSML", "ssml": words}
    return {"type": "PlainText", "text": words}


def unmatched(event: Event, known: Sequence[Subscription]) -> Reply | None:
    """What to say when no handler knows the request: goodbye, or what one could ask."""
    if reply_within(event) is None:
        return None
    if event.subject in ("AMAZON.StopIntent", "AMAZON.CancelIntent", "AMAZON.NavigateHomeIntent"):
        return Reply("Goodbye.", end_session=True)
    samples = [sample for s in known for sample in s.options.get("samples", ())[:1]]
    if not samples:
        return Reply("I cannot do anything yet.", end_session=True)
    offer = f"You can say: {', or: '.join(sample.replace('{', '').replace('}', '') for sample in samples[:3])}."
    greeting = event.type == f"{_TYPE}LaunchRequest" or event.subject == "AMAZON.HelpIntent"
    return Reply(offer if greeting else f"I did not understand that. {offer}", reprompt=offer)


def suggest(event: Event) -> str:
    """The handler one would write for this event."""
    decorator = f'intent({quoted(event.subject)}, samples=["…"])' if event.subject else "launch()"
    if event.type == f"{_TYPE}SessionEndedRequest":
        decorator = "session_ended()"
    return f'@alexa.{decorator}\ndef answer(event: Event, ctx: Context) -> Reply | str:\n    return "…"'


SOURCE = Source(
    name="alexa",
    recognizes=recognizes,
    normalize=normalize,
    suggest=suggest,
    owns=lambda event: event.type.startswith(_TYPE),
    reply_within=reply_within,
    signed=True,
    render=render,
    meanwhile=meanwhile,
    late=LATE,
    unmatched=unmatched,
    secrets=frozenset({"accessToken", "apiAccessToken", "consentToken"}),
)
