"""The OpenAPI description of all that the local host answers over HTTP: shapes from the code, words from here."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from botplatform.console import operating, speaking
from botplatform.sources.cloudevents import BATCH, STRUCTURED
from botplatform.stores.sqlite.search import Search

Schema = dict[str, Any]

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_PARAMETER = re.compile(r"\{(\w+)\}")


class Failure(TypedDict):
    """What went wrong, in one sentence."""

    error: str


class Refused(TypedDict):
    """A record that is no event, and its place in what was sent."""

    where: str
    reason: str


class Receipt(TypedDict):
    """What became of the records that were sent."""

    accepted: int
    rejected: list[Refused]


class Health(TypedDict):
    """All is well."""

    status: Literal["ok"]


class Effect(TypedDict):
    """Something a handler asked for, and what became of it; a rehearsal performs none and gives them no number."""

    name: str
    arguments: dict[str, Any]
    status: str
    number: NotRequired[int]
    attempts: NotRequired[int]
    changed: NotRequired[float | None]
    result: NotRequired[Any]


class Change(TypedDict):
    """What a handler did to a value: `before` and `after` are missing where there was none, or it was too large."""

    plugin: str
    key: str
    before: NotRequired[Any]
    after: NotRequired[Any]
    size: NotRequired[int]
    seen: NotRequired[bool]


class Handled(TypedDict):
    """What one handler did with an event, or is still to do."""

    handler: str
    status: str
    reason: NotRequired[str]
    attempts: NotRequired[int]
    due: NotRequired[float]
    dead_letter: NotRequired[int]
    finished: NotRequired[float]
    took: NotRequired[float]
    reply: NotRequired[dict[str, Any] | None]
    suppressed: NotRequired[list[str]]
    effects: NotRequired[list[Effect]]
    changes: NotRequired[list[Change]]


class Entry(TypedDict):
    """An entry of the log: an event, or what was no event (then `id` is null and `source` who rejected it)."""

    number: int
    source: str
    id: str | None
    type: str
    subject: str | None
    received: float
    verdict: Literal["accepted", "unmatched", "rejected"]
    reason: str
    deliveries: int
    replay_of: str | None
    kind: str
    brief: str
    handlers: list[Handled]


class Story(Entry):
    """An entry with its envelope, secrets masked, and the events it is connected with."""

    envelope: dict[str, Any] | None
    related: dict[str, list[dict[str, Any]]]
    suggestion: NotRequired[str]
    explanations: NotRequired[list[dict[str, Any]]]


class Entries(TypedDict):
    """How the platform is, and some entries of its log."""

    status: dict[str, Any]
    events: list[Entry]


class Outbox(TypedDict):
    """The latest effects, newest first."""

    text: list[Effect]
    slack: list[Effect]
    publish: list[Effect]


class Loaded(TypedDict):
    """The plugins."""

    loaded: list[dict[str, Any]]
    mistakes: list[str]
    alexa_off: str


class Letter(TypedDict):
    """A dead letter."""

    number: int
    source: str
    id: str
    type: str
    subject: str | None
    handler: str
    attempts: int
    reason: str
    changed: float


class Opened(Letter):
    """A dead letter with its envelope, secrets masked, and its number in the log."""

    envelope: dict[str, Any]
    event: int | None


class Letters(TypedDict):
    """Some dead letters, oldest first."""

    dead_letters: list[Letter]


class Done(TypedDict):
    """How many of them there were."""

    done: int


class Replayed(TypedDict):
    """The ids of the new events, or, of a dry run, what each handler would do."""

    replayed: NotRequired[list[str]]
    runs: NotRequired[list[Rehearsed]]


class Rehearsed(Handled):
    """What a handler would make of an event of the log."""

    number: int


class Size(TypedDict):
    """The size of a file."""

    bytes: int


class Empty(TypedDict):
    """Nothing to say."""


class Anything(TypedDict):
    """An object as its service defines it."""


_SHAPES = (
    *(Failure, Receipt, Health, Entries, Story, Outbox, Loaded, Letters, Opened, Done, Replayed, Size, Empty, Anything),
    *(speaking.InSlack, speaking.ToAlexa, speaking.AsDevice),
    *(operating.Chosen, operating.Edited, operating.Replay, operating.Backup),
)


def page() -> str:
    """The text of docs/openapi.json."""
    return json.dumps(description(), indent=1) + "\n"


def description() -> Schema:
    """The description, as OpenAPI 3.1 has it."""
    paths = {**_doors(), **_pages(), **_reading(), **_changing()}
    _, shapes = msgspec.json.schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "botplatform",
            "version": "1",
            "description": "What the local host answers over HTTP. `/slack` and `/alexa` take signed requests from"
            " anywhere; all else is for this machine, or for whoever has the token of BOTPLATFORM_EVENTS_TOKEN.",
        },
        "security": [{}, {"events": []}],
        "paths": {path: {**_named_in(path), **offered} for path, offered in paths.items()},
        "components": {"schemas": shapes, "securitySchemes": _KEYS},
    }


_KEYS = {
    "events": {"type": "http", "scheme": "bearer", "description": "BOTPLATFORM_EVENTS_TOKEN, where it is set"},
    "console": {"type": "apiKey", "in": "header", "name": "X-Console-Token", "description": "from the console's page"},
}


def _doors() -> Schema:
    slack = {_FORM: {"type": "object", "additionalProperties": {"type": "string"}}, _JSON: _ref(Anything)}
    batch = {"type": "array", "items": _ref(Anything)}
    events = {_JSON: {}, STRUCTURED: _ref(Anything), BATCH: batch}
    answered = _answers(200, "the body Slack wants, empty where it only wants to know that it arrived", Anything)
    # An empty body is no JSON.
    answered["200"]["content"]["text/html"] = {"schema": {"type": "string", "maxLength": 0}}
    return {
        "/slack": {"post": _operation("A request of Slack's", answered, slack, (400, 401, 413, 503))},
        "/alexa": {
            "post": _operation(
                "A request of Alexa's to the skill",
                _answers(200, "the response body Alexa wants", Anything),
                {_JSON: _ref(Anything)},
                (400, 401, 413, 503),
            )
        },
        "/events": {
            "post": _operation(
                "Records of any source that does not sign: CloudEvents in all three modes, CloudTrail files, ticks, …",
                _answers(202, "what became of each", Receipt),
                events,
                (400, 401, 403, 413, 503),
            )
        },
        "/health": {
            "get": _operation("Whether events are taken in", _answers(200, "they are", Health), {}, (403, 503))
        },
    }


def _pages() -> Schema:
    html = {"200": {"description": "the page", "content": {"text/html": {"schema": {"type": "string"}}}}}
    file = {"200": {"description": "the file"}, "304": {"description": "as it was"}}
    return {
        "/": {"get": _operation("To the console", {"302": {"description": "to /console/"}}, {}, (403,))},
        "/console/": {"get": _operation("The console", html, {}, (403,))},
        "/console/static/{filename}": {
            "get": _operation("A part of the console's page", file, {}, (403, 404)),
        },
    }


def _reading() -> Schema:
    log = _asked("after", "before", "limit", *Search._fields)
    letters = _asked("after", "limit", *(name for name in Search._fields if name != "verdict"))
    return {
        "/console/api/events": {"get": _read("Entries of the log, newest first", Entries, log, 400)},
        "/console/api/events/{number}": {"get": _read("One entry", Story, [], 404)},
        "/console/api/outbox": {"get": _read("The latest effects", Outbox)},
        "/console/api/plugins": {"get": _read("The plugins", Loaded)},
        "/console/api/dead-letters": {"get": _read("Dead letters, oldest first", Letters, letters, 400)},
        "/console/api/dead-letters/{number}": {"get": _read("One dead letter", Opened, [], 404)},
    }


def _changing() -> Schema:
    letters = "/console/api/dead-letters"
    return {
        "/console/api/slack": _change("Say something in Slack", speaking.InSlack, Anything),
        "/console/api/alexa": _change("Say something to Alexa", speaking.ToAlexa, Anything),
        "/console/api/mqtt": _change("Publish as a device", speaking.AsDevice, Empty),
        f"{letters}/retry": _change("Handle dead letters once more", operating.Chosen, Done),
        f"{letters}/drop": _change("Forget dead letters", operating.Chosen, Done),
        f"{letters}/{{number}}/edit": _change("Give a dead letter other data", operating.Edited, Empty),
        "/console/api/replay": _change("Handle events of the log again", operating.Replay, Replayed),
        "/console/api/backup": _change("Copy the state into a new file", operating.Backup, Size),
        "/console/api/restore": _change("Put a backup in the place of the state", operating.Backup, Size),
    }


def _read(summary: str, answer: Any, parameters: list[Schema] | None = None, *errors: int) -> Schema:
    """A GET of the console's API."""
    operation = _operation(summary, _answers(200, summary, answer), {}, (*errors, 403, 503))
    return {**operation, "parameters": parameters} if parameters else operation


def _change(summary: str, asked: Any, answer: Any) -> Schema:
    """A POST of the console's API."""
    answers, errors = _answers(200, summary, answer), (400, 401, 403, 404, 413, 415, 503)
    return {
        "post": {
            **_operation(summary, answers, {_JSON: _ref(asked)}, errors),
            "security": [{"console": []}, {"console": [], "events": []}],
        }
    }


def _operation(summary: str, answers: Schema, bodies: Schema, errors: tuple[int, ...]) -> Schema:
    failed = {str(status): _told(_ERRORS[status], Failure) for status in errors}
    operation: Schema = {"summary": summary, "responses": {**answers, **failed}}
    if bodies:
        content = {media_type: {"schema": schema} for media_type, schema in bodies.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


_ERRORS = {
    400: "it cannot be read, or cannot be",
    401: "its sender could not be verified",
    403: "it is not for whoever asks",
    404: "there is none",
    413: "it is too large",
    415: "it is no JSON",
    503: "it cannot be done now, and may be later",
}


def _answers(status: int, description: str, shape: Any) -> Schema:
    return {str(status): _told(description, shape)}


def _told(description: str, shape: Any) -> Schema:
    return {"description": description, "content": {_JSON: {"schema": _ref(shape)}}}


def _ref(shape: Any) -> Schema:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _asked(*names: str) -> list[Schema]:
    """The parameters of a query; whatever is no number where one is wanted counts as left out, but for times."""
    kinds = {"after": "integer", "before": "integer", "limit": "integer", "since": "number", "until": "number"}
    return [{"name": name, "in": "query", "schema": {"type": kinds.get(name, "string")}} for name in names]


def _named_in(path: str) -> Schema:
    """The parameters that a path itself has."""
    kinds = {"number": {"type": "integer", "minimum": 0}, "filename": {"type": "string"}}
    found = [{"name": n, "in": "path", "required": True, "schema": kinds[n]} for n in _PARAMETER.findall(path)]
    return {"parameters": found} if found else {}
