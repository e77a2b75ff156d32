"""Alexa is asked to say that it takes a while, and nobody else ever gets her token."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from botplatform import Event
from botplatform.hosts.local.simulate import alexa_intent, alexa_request
from botplatform.source import Raw
from botplatform.sources.alexa.source import SOURCE

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def asked(body: bytes, api: str | None = "https://api.eu.amazonalexa.com", token: str | None = "t0ken") -> Event:
    """The event of a request that came with the address and the token of Alexa's API."""
    request: dict[str, Any] = json.loads(body)
    request["context"]["System"].update(apiEndpoint=api, apiAccessToken=token)
    event = next(SOURCE.normalize(Raw(json.dumps(request).encode())))
    assert isinstance(event, Event)
    return event


def test_an_intent_can_be_told_to_wait() -> None:
    event = asked(alexa_intent("TemperatureIntent", {}, NOW))
    post = SOURCE.meanwhile(event)

    assert post
    assert post.url == "https://api.eu.amazonalexa.com/v1/directives"
    assert post.headers == {"authorization": "Bearer t0ken", "content-type": "application/json"}
    assert json.loads(post.body) == {
        "header": {"requestId": event.id},
        "directive": {"type": "VoicePlayer.Speak", "speech": "<speak>I am still working on it.</speak>"},
    }


@pytest.mark.parametrize(
    ("kind", "can"),
    [
        ("LaunchRequest", True),
        ("CanFulfillIntentRequest", False),
        ("AudioPlayer.PlaybackStarted", False),
        ("SessionEndedRequest", False),
    ],
)
def test_only_who_opened_the_skill_or_said_an_intent_can_be_told(kind: str, can: bool) -> None:
    assert (SOURCE.meanwhile(asked(alexa_request({"type": kind}, NOW))) is not None) is can


@pytest.mark.parametrize(
    ("api", "trusted"),
    [
        ("https://api.amazonalexa.com", True),
        ("https://api.fe.amazonalexa.com/", True),
        ("https://api.fe.amazon.com", True),
        ("https://api.amazonalexa.com:443", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://api.amazonalexa.com", False),
        ("https://api.amazonalexa.com:8443", False),
        ("https://api.amazonalexa.com.example.org", False),
        ("https://evilamazonalexa.com", False),
        ("https://api.amazonalexa.com@example.org", False),
        ("https://example.org@api.amazonalexa.com", False),
        ("https://127.0.0.1.example.org", False),
        ("https://169.254.169.254", False),
        ("https://[::1", False),
        ("https://api.amazonalexa.com:x", False),
        ("ftp://127.0.0.1", False),
        ("", False),
        (None, False),
    ],
)
def test_the_token_goes_to_amazon_or_to_this_machine_alone(api: str | None, trusted: bool) -> None:
    event = asked(alexa_intent("TemperatureIntent", {}, NOW), api)
    assert (SOURCE.meanwhile(event) is not None) is trusted


@pytest.mark.parametrize("token", [None, "", 7])
def test_without_a_token_nothing_can_be_said(token: Any) -> None:
    assert SOURCE.meanwhile(asked(alexa_intent("TemperatureIntent", {}, NOW), token=token)) is None
