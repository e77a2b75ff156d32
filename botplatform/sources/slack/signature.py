"""Slack's request signatures, checked and made by slack_sdk."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from botplatform.errors import Unauthorized

# Slack API, "Verifying requests from Slack": older than five minutes may be a replay.
TOLERANCE = 300
# Seconds since 1970 have ten digits for a long time; a number of thousands is no time, and cannot be computed with.
_DIGITS = 12
_HEADERS = ("x-slack-request-timestamp", "x-slack-signature")


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raise Unauthorized unless Slack (or whoever holds `secret`) signed exactly these bytes in the last 5 minutes."""
    from slack_sdk.signature import SignatureVerifier

    timestamp, signature = (headers.get(name, "") for name in _HEADERS)
    for name, value in zip(_HEADERS, (timestamp, signature), strict=True):
        if not value:
            raise Unauthorized(f"the header {name} is missing")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS):
        raise Unauthorized("the header x-slack-request-timestamp is no time in seconds")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE:
        raise Unauthorized(
            f"the request was signed {abs(now.timestamp() - int(timestamp)):.0f} s from now, 300 are allowed"
        )
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Unauthorized("the body is no UTF-8") from None
    expected = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=text) or ""
    if not _same(expected, signature):
        raise Unauthorized("the signature does not fit the body: is SLACK_SIGNING_SECRET that of this Slack app?")


def _same(expected: str, given: str) -> bool:
    import hmac

    return hmac.compare_digest(expected.encode(), given.encode())


def sign(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The two headers with which Slack would send `body`."""
    from slack_sdk.signature import SignatureVerifier

    timestamp = str(int(now.timestamp()))
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body) or ""
    return dict(zip(_HEADERS, (timestamp, signature), strict=True))
