"""Speaking as somebody outside: what is typed into the console goes through the same doors as the real thing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from botplatform.console.view import alexa_off
from botplatform.effect import Publication
from botplatform.errors import Rejected
from botplatform.hosts.local import simulate
from botplatform.hosts.local.development import alexa_authority, slack_secret
from botplatform.source import Raw
from botplatform.sources.mqtt.source import read
from botplatform.sources.slack import signature

if TYPE_CHECKING:
    from botplatform.hosts.local.platform import Platform


class InSlack(TypedDict):
    """What somebody types: a slash command, or words that mention the bot."""

    user: str
    text: str


class ToAlexa(TypedDict):
    """What somebody says: an intent with its slots, or "" to open the skill; `session` is what the last answer kept."""

    intent: str
    slots: dict[str, str]
    session: dict[str, Any] | None


class AsDevice(TypedDict):
    """What a device publishes."""

    topic: str
    payload: str
    qos: int
    retain: bool


def in_slack(platform: Platform, said: InSlack) -> Mapping[str, Any]:
    """Slack's signed request for it, and the body that answers it; empty where a reply comes as a message later."""
    now = _now(platform)
    typed = said["text"].strip()
    if typed.startswith("/"):
        body = simulate.slack_command(typed, said["user"])
    else:
        body = simulate.slack_event({"type": "app_mention", "user": said["user"], "text": typed}, now)
    return platform.doors.ask("slack", Raw(body, signature.sign(slack_secret(platform.settings), body, now)))


def to_alexa(platform: Platform, said: ToAlexa) -> Mapping[str, Any]:
    """Alexa's request for it, signed by the development authority, and the response; raises Rejected for a real skill.

    Where ALEXA_SKILL_ID is set only Amazon's signatures count. A door that let ours pass, or a way round it, would be
    one more way in for somebody else: so there the box is off.
    """
    if off := alexa_off(platform):
        raise Rejected(off)
    now, session = _now(platform), said["session"]
    if said["intent"]:
        body = simulate.alexa_intent(said["intent"], said["slots"], now, session)
    else:
        body = simulate.alexa_request({"type": "LaunchRequest"}, now, session)
    return platform.doors.ask("alexa", Raw(body, alexa_authority(platform.settings).sign(body)))


def as_device(platform: Platform, said: AsDevice) -> Mapping[str, Any]:
    """Publish it; raises Rejected for a bad topic or QoS, Retry when the broker does not take it."""
    message = read(said)
    platform.publish(Publication(message.topic, message.payload, message.qos, message.retain))
    return {}


def _now(platform: Platform) -> datetime:
    return datetime.fromtimestamp(platform.dispatcher.engine.clock(), UTC)
