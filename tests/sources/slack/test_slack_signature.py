"""Slack's signatures: the published example holds, and nothing else passes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from botplatform.errors import Unauthorized
from botplatform.sources.slack.signature import sign, verify

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SECRET = "not-a-real-secret"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BODY = "command=/temp&text=Küche".encode()
TIMESTAMP, SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"


@pytest.fixture(scope="module")
def published(shared_data: Path) -> dict[str, Any]:
    """The worked example of "Verifying requests from Slack"."""
    vector: dict[str, Any] = json.loads((shared_data / "slack" / "signature-vector" / "vector.json").read_bytes())
    return vector


def test_the_published_example_is_genuine(published: dict[str, Any]) -> None:
    headers = {TIMESTAMP: published["timestamp"], SIGNATURE: published["expected_signature"]}
    signed_at = datetime.fromtimestamp(int(published["timestamp"]), UTC)
    verify(published["signing_secret"], headers, published["body"].encode(), signed_at)


def test_we_sign_the_published_example_as_slack_does(published: dict[str, Any]) -> None:
    signed_at = datetime.fromtimestamp(int(published["timestamp"]), UTC)
    headers = sign(published["signing_secret"], published["body"].encode(), signed_at)
    assert headers == {TIMESTAMP: published["timestamp"], SIGNATURE: published["expected_signature"]}


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_signature_holds_for_five_minutes_either_way(seconds: int) -> None:
    verify(SECRET, sign(SECRET, BODY, NOW), BODY, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86400])
def test_an_old_signature_may_be_a_replay(seconds: int) -> None:
    headers = sign(SECRET, BODY, NOW)
    with pytest.raises(Unauthorized, match=rf"^the request was signed {abs(seconds)} s from now, 300 are allowed$"):
        verify(SECRET, headers, BODY, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        pytest.param({SIGNATURE: "v0=" + "0" * 64}, BODY, id="wrong signature"),
        pytest.param({SIGNATURE: "v0=é"}, BODY, id="signature that is no ASCII"),
        pytest.param({TIMESTAMP: str(int(NOW.timestamp()) + 1)}, BODY, id="another time"),
        pytest.param({}, BODY + b" ", id="another body"),
        pytest.param({}, b"", id="no body"),
    ],
)
def test_what_was_not_signed_is_refused(changed: dict[str, str], body: bytes) -> None:
    headers = {**sign(SECRET, BODY, NOW), **changed}
    with pytest.raises(Unauthorized, match=r"^the signature does not fit the body: is SLACK_SIGNING_SECRET that of"):
        verify(SECRET, headers, body, NOW)


def test_another_apps_secret_is_refused() -> None:
    headers = sign("of-another-app", BODY, NOW)
    with pytest.raises(Unauthorized, match=r"^the signature does not fit the body"):
        verify(SECRET, headers, BODY, NOW)


@pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
@pytest.mark.parametrize("missing", [{}, {"empty": ""}], ids=["absent", "empty"])
def test_a_header_that_is_missing_is_named(name: str, missing: dict[str, str]) -> None:
    headers = {key: value for key, value in sign(SECRET, BODY, NOW).items() if key != name}
    headers |= dict.fromkeys([name], "") if missing else {}
    with pytest.raises(Unauthorized, match=rf"^the header {name} is missing$"):
        verify(SECRET, headers, BODY, NOW)


@pytest.mark.parametrize("timestamp", ["yesterday", "-1", "1e9", "1767614400.0", "١٢٣", "1 ", "²", "9" * 400])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    headers = {**sign(SECRET, BODY, NOW), TIMESTAMP: timestamp}
    with pytest.raises(Unauthorized, match=r"^the header x-slack-request-timestamp is no time in seconds$"):
        verify(SECRET, headers, BODY, NOW)


@given(TEXT.filter(str.strip), TEXT, st.integers(0, 10**10))
def test_we_sign_whatever_slacks_own_library_signs_in_the_same_way(secret: str, body: str, timestamp: int) -> None:
    theirs = SignatureVerifier(secret).generate_signature(timestamp=str(timestamp), body=body)
    assert sign(secret, body.encode(), datetime.fromtimestamp(timestamp, UTC))[SIGNATURE] == theirs


def test_bytes_that_are_no_text_are_signed_like_any_other() -> None:
    verify(SECRET, sign(SECRET, b"\xff\xfe", NOW), b"\xff\xfe", NOW)
    with pytest.raises(Unauthorized, match=r"^the signature does not fit the body"):
        verify(SECRET, sign(SECRET, b"\xff\xfe", NOW), b"\xff\xff", NOW)


@pytest.mark.parametrize("secret", ["", " "])
def test_without_a_secret_nothing_is_genuine(secret: str) -> None:
    with pytest.raises(Unauthorized, match=r"^there is no SLACK_SIGNING_SECRET to verify with$"):
        verify(secret, sign(secret, BODY, NOW), BODY, NOW)
