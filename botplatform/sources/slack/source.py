"""Slack's records as events, and replies as Slack wants them."""

from __future__ import annotations

from binascii import a2b_hex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import NO_EXTENSIONS, Event
from botplatform.reply import Reply
from botplatform.source import EffectRequest, Raw, Source, quoted, text_at
from botplatform.subscription import Subscription

# Slack API, "Responding to interactions": 3 seconds, of which the network keeps some.
REPLY_WITHIN = 2.5
# A command has about fifteen fields, an interaction one.
FIELDS_LIMIT = 100
_INTERACTIONS = {
    "block_actions",
    "block_suggestion",
    "dialog_cancellation",
    "dialog_submission",
    "dialog_suggestion",
    "interactive_message",
    "message_action",
    "shortcut",
    "view_closed",
    "view_submission",
    "workflow_step_edit",
}
_TEAM = ("team_id",), ("team", "id"), ("user", "team_id"), ("enterprise_id",), ("enterprise", "id"), ("api_app_id",)
_SENDER = {"team_id", "team", "api_app_id", "token"}


def normalize(raw: Raw) -> Iterator[Event | Rejected]:
    """The one event in a request of Slack's: a form (commands, interactions) or JSON (Events API)."""
    try:
        return iter((_event(_payload(raw), raw),))  # to drop a generator in the middle costs more
    except Rejected as rejected:
        return iter((rejected,))


def recognizes(value: Any) -> bool:
    """Whether a decoded record looks like one of Slack's payloads."""
    if not isinstance(value, dict):
        return False
    if "command" in value and "trigger_id" in value | {"trigger_id": value.get("response_url")}:
        return str(value["command"]).startswith("/")
    if value.get("type") in ("event_callback", "url_verification"):
        return True
    return text_at(value, "type") in _INTERACTIONS and ("team" in value or "user" in value)


def _payload(raw: Raw) -> dict[str, Any]:
    if raw.body.lstrip()[:1] in (b"{", b"["):
        value = codec.received(raw.body)
    else:
        value = _form(raw.body)
        if "payload" in value:
            value = codec.received(value["payload"])
    if not isinstance(value, dict):
        raise Rejected("a Slack payload is a form or a JSON object")
    return value


def _form(body: bytes) -> dict[str, Any]:
    """The fields of a form (WHATWG URL Standard, 5.1). Python's own parser takes twice as long, and long to import."""
    fields = []
    try:
        text = body.decode().strip().replace("+", " ")
        fields = text.split("&", FIELDS_LIMIT) if text else []
        if len(fields) > FIELDS_LIMIT:
            raise ValueError("Max number of fields exceeded")
        pairs = [field.split("=", 1) for field in fields]
        return {
            _unescaped(name) if "%" in name else name: _unescaped(value) if "%" in value else value
            for name, value in pairs
        }
    except ValueError as error:
        bad = next((f"bad query field: {field!r}" for field in fields if "=" not in field), error)
        raise Rejected(f"neither a form nor a JSON object: {bad}") from None


def _unescaped(text: str) -> str:
    """A text with its %XX read; raises ValueError for what is no hexadecimal number, or no UTF-8."""
    text = text.replace("%2F", "/").replace("%3A", ":")  # those of commands and URLs, which is mostly all
    if "%" not in text:
        return text
    first, *escaped = text.encode().split(b"%")
    return b"".join([first, *[a2b_hex(part[:2]) + part[2:] for part in escaped]]).decode()


def _event(payload: dict[str, Any], raw: Raw) -> Event:
    kind, subject, partition = _kind(payload)
    key = MappingProxyType({"partitionkey": partition}) if partition else NO_EXTENSIONS
    source, time = f"urn:slack:{_team(payload)}", _time(payload, raw)
    return Event.of_record(_id(payload), source, f"com.slack.{kind}", subject, time, payload, key)


def _kind(payload: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """The kind of payload, what it is about, and whose order it is part of."""
    type_ = payload.get("type")
    if type_ is None and isinstance(payload.get("command"), str):
        return "command", payload["command"] or None, _user(payload)
    if type_ == "event_callback":
        inner = payload.get("event")
        if not isinstance(inner, dict) or not text_at(inner, "type"):
            raise Rejected("an event_callback without an event", "event")
        channel = text_at(inner, "channel") or text_at(inner, "item", "channel")
        return f"event.{inner['type']}", channel, channel or text_at(inner, "user")
    if "ssl_check" in payload and type_ is None:
        return "ssl_check", None, None
    if not isinstance(type_, str) or not type_:
        raise Rejected("no Slack payload: it has neither a type nor a command")
    # Types that Slack may add say at least whose they are.
    if type_ not in _INTERACTIONS and not _SENDER & payload.keys():
        raise Rejected(f"no Slack payload: its type is {type_!r} and it names no team, app or token", "type")
    return type_, _subject(payload), _user(payload)


def _user(payload: dict[str, Any]) -> str | None:
    return text_at(payload, "user", "id") or text_at(payload, "user_id") or text_at(payload, "user")


def _subject(payload: dict[str, Any]) -> str | None:
    actions = payload.get("actions")
    first = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
    return (
        text_at(first, "action_id")
        or text_at(payload, "action_id")
        or text_at(payload, "callback_id")
        or text_at(payload, "view", "callback_id")
    )


def _id(payload: dict[str, Any]) -> str:
    """Slack's own id of the happening; where it has none, one made of all that it says."""
    own = text_at(payload, "event_id") or text_at(payload, "trigger_id") or text_at(payload, "event", "event_ts")
    return own or _id_of_content(payload)


def _id_of_content(payload: dict[str, Any]) -> str:
    from hashlib import sha256

    return "sha256-" + sha256(codec.encode(payload)).hexdigest()[:32]


def _team(payload: dict[str, Any]) -> str:
    for path in _TEAM:
        found = text_at(payload, *path)
        if found:
            return found
    return "unknown"


def _time(payload: dict[str, Any], raw: Raw) -> str | None:
    seconds = payload.get("event_time") or raw.headers.get("x-slack-request-timestamp")
    try:
        return _written(float(seconds)) if seconds else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=64)
def _written(seconds: float) -> str:
    """A Unix time as RFC 3339; what happens in one second often comes together."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]}Z"


def reply_within(event: Event) -> float | None:
    """A command's typist and a view's submitter wait; everything else only wants to know that it arrived."""
    return REPLY_WITHIN if event.type in ("com.slack.command", "com.slack.view_submission") else None


def render(event: Event, reply: Reply | None) -> Mapping[str, Any]:
    """The body of the answer to Slack's request; empty is an acknowledgement that shows nothing."""
    if event.type == "com.slack.url_verification":
        return {"challenge": event.data.get("challenge", "")}
    if reply is None or reply.native is not None:
        return (reply and reply.native) or {}
    return _message(reply) if event.type == "com.slack.command" else {}


def _message(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"response_type": "in_channel" if reply.in_channel else "ephemeral", "text": reply.text}
    if reply.blocks:
        message["blocks"] = list(reply.blocks)
    return message


def follow_up(event: Event, reply: Reply) -> EffectRequest | None:
    """A reply nobody waits for: to the response_url where Slack gave one, else into the event's channel."""
    if not (reply.text or reply.blocks):
        return None
    url = text_at(event.data, "response_url")
    if url:
        return EffectRequest("slack", {"response_url": url, **_message(reply)}, order=url)
    channel = text_at(event.data, "event", "channel") or text_at(event.data, "channel", "id")
    if not channel:
        return None
    message = {
        "channel": channel,
        "text": reply.text,
        "blocks": list(reply.blocks or ()),
        "thread_ts": text_at(event.data, "event", "thread_ts"),
    }
    return EffectRequest("slack", {name: value for name, value in message.items() if value}, order=channel)


def unmatched(event: Event, known: Sequence[Subscription]) -> Reply | None:
    """What to tell somebody whose command no handler knows."""
    if event.type != "com.slack.command":
        return None
    commands = sorted(s.summary for s in known if s.exclusive and s.summary.startswith("/"))
    own = [usage for usage in commands if usage.split()[0] == event.subject]
    listed = ", ".join(f"`{usage}`" for usage in own or commands) or "no commands yet"
    what = f"{event.subject} {event.data.get('text', '')}".strip()
    return Reply(f"I do not know `{what}`. I know {listed}.")


def suggest(event: Event) -> str:
    """The handler one would write for this event."""
    decorator = {
        "com.slack.command": f"slack.command({quoted(event.subject)})",
        "com.slack.block_actions": f"slack.action({quoted(event.subject)})",
        "com.slack.view_submission": f"slack.view({quoted(event.subject)})",
        "com.slack.shortcut": f"slack.shortcut({quoted(event.subject)})",
        "com.slack.message_action": f"slack.shortcut({quoted(event.subject)})",
    }.get(event.type, f"cloudevents.event({quoted(event.type)})")
    if event.type.startswith("com.slack.event."):
        bots = ", bots=True" if text_at(event.data, "event", "bot_id") else ""
        decorator = f"slack.event({quoted(event.type.removeprefix('com.slack.event.'))}{bots})"
    return f'@{decorator}\ndef answer(event: Event, ctx: Context) -> Reply | str:\n    return "…"'


SOURCE = Source(
    name="slack",
    recognizes=recognizes,
    normalize=normalize,
    suggest=suggest,
    owns=lambda event: event.type.startswith("com.slack."),
    reply_within=reply_within,
    handshake=lambda event: event.type in ("com.slack.url_verification", "com.slack.ssl_check"),
    signed=True,
    render=render,
    follow_up=follow_up,
    unmatched=unmatched,
    secrets=frozenset({"token", "response_url", "response_urls", "bot_access_token"}),
)
