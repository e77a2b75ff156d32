"""A handler that takes longer than people like to wait: Alexa says so, and in the end says how to ask again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from botplatform.hosts.local.platform import Platform
from botplatform.hosts.local.simulate import alexa_intent
from botplatform.sources.alexa.source import LATE
from tests.effects.conftest import Web
from tests.hosts.local.running import Answer, from_alexa, log, running, state
from tests.mosquitto import eventually

PATIENT = '''
"""Answers when a file is there."""

import time
from pathlib import Path

from botplatform import Context, alexa


@alexa.intent("CountIntent", samples=["count"])
def count(ctx: Context) -> str:
    while not Path({gate!r}).exists():
        time.sleep(0.01)
    ctx.state.add("count")
    return "Counted."
'''


@pytest.fixture
def web() -> Iterator[Web]:
    """Alexa's API."""
    web = Web()
    yield web
    web.stop()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    gate = tmp_path / "open"
    with running(tmp_path, {"patient": PATIENT.format(gate=str(gate))}) as platform:
        yield platform
        gate.touch()


def count(web: Web) -> bytes:
    """Somebody says the intent to a device whose API is at that address."""
    body = json.loads(alexa_intent("CountIntent", {}, datetime.now(UTC)))
    body["context"]["System"].update(apiEndpoint=web.url, apiAccessToken="t0ken")
    return json.dumps(body).encode()


def said(answer: Answer) -> str:
    return str(answer.json["response"]["outputSpeech"]["text"])


def test_after_some_silence_alexa_says_that_it_takes_a_while_and_then_the_answer(
    tmp_path: Path, platform: Platform, web: Web
) -> None:
    request = count(web)
    threading.Thread(target=lambda: eventually(lambda: web.requests, 20) or (tmp_path / "open").touch()).start()

    assert said(from_alexa(platform, request)) == "Counted."
    (told,) = web.requests
    assert told.headers["authorization"] == "Bearer t0ken"
    assert json.loads(told.body)["header"]["requestId"] == json.loads(request)["request"]["requestId"]
    assert "t0ken" not in json.dumps(log(platform))


def test_in_the_end_alexa_says_how_to_ask_again_and_the_late_run_counts_once(
    tmp_path: Path, platform: Platform, web: Web
) -> None:
    web.answers[0].status = 500
    request = count(web)
    assert said(from_alexa(platform, request)) == LATE.text
    (tmp_path / "open").touch()
    eventually(lambda: state(platform, "patient") == {"count": 1} and not platform.busy())

    assert said(from_alexa(platform, request)) == "Counted."  # the same request again: nothing is counted twice
    assert state(platform, "patient") == {"count": 1}
    assert said(from_alexa(platform, count(web))) == "Counted."
    assert state(platform, "patient") == {"count": 2}
