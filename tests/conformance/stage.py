"""What the conformance suite wants of a place where plugins run: a way in, and a look at what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

SKILL = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"
OWNER = "+15550100"


class Answer(NamedTuple):
    """What somebody who waits is told; `status` is that of HTTP."""

    status: int
    content: Any

    @property
    def of_an_event(self) -> bool:
        """Whether it was an event that was answered: not a refusal, nor Slack's question whether we are there."""
        return self.status == 200 and "challenge" not in (self.content or {})

    @property
    def text(self) -> str:
        """The words in it, whichever source's format it has."""
        answer = self.content if isinstance(self.content, dict) else {}
        speech = answer.get("response", {}).get("outputSpeech", {})
        return str(answer.get("text") or speech.get("text") or answer.get("error") or "")


class Stage(Protocol):
    """A running platform with the shipped plugins and those in `tests/conformance/plugins`, its state empty.

    What is sent twice is the same event twice: with the same `id`, `eventID`, time or body. `slack_url` is where the
    stage's Slack takes messages.
    """

    slack_url: str

    def slack(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Send what Slack sends, signed as it does unless there are `headers`."""

    def alexa(self, body: bytes) -> Answer:
        """Send what Alexa sends, as Alexa does."""

    def mqtt(self, topic: str, payload: Any, id: str | None = None) -> None:
        """Publish as a device (text and bytes as they are, other values as JSON); an `id` makes it one known before."""

    def cloudtrail(self, record: Mapping[str, Any]) -> None:
        """Let a CloudTrail record arrive."""

    def tick(self, schedule: str, time: str) -> None:
        """Let a schedule be due at a time (RFC 3339)."""

    def cloudevent(self, envelope: Mapping[str, Any]) -> None:
        """Let any producer's CloudEvent arrive."""

    def settle(self) -> None:
        """Wait until everything sent has been handled, and its effects performed."""

    def texts(self) -> list[str]:
        """The texts sent."""

    def slack_messages(self) -> list[tuple[str, str]]:
        """What Slack got besides answers, as (channel or path, text)."""

    def published(self) -> list[tuple[str, str]]:
        """What plugins told devices, as (topic, payload)."""

    def state(self, plugin: str) -> dict[str, Any]:
        """What a plugin has in its state."""

    def dead_letters(self) -> list[tuple[str, str]]:
        """The events given up on, as (handler, reason)."""

    def log(self) -> list[dict[str, Any]]:
        """The log, one entry for each event, its handlers sorted by name."""

    def hears(self, source: str) -> bool:
        """Whether an event of this source that no plugin listens to gets as far as the platform."""


def payload_of(value: Any) -> bytes:
    """What a device sends: text and bytes as they are, any other value as JSON."""
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
