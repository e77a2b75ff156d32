"""Slack's request signatures, checked and made.

The rules are Slack's: Slack API, "Verifying requests from Slack". slack_sdk knows them too, but takes longer to import
than a command takes from end to end; the tests hold both to the same.
"""

from __future__ import annotations

import hashlib
import hmac
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
    if not secret.strip():
        raise Unauthorized("there is no SLACK_SIGNING_SECRET to verify with")
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
    if not hmac.compare_digest(_signature(secret, timestamp, body).encode(), signature.encode()):
        raise Unauthorized("the signature does not fit the body: is SLACK_SIGNING_SECRET that of this Slack app?")


def sign(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The two headers with which Slack would send `body`."""
    timestamp = str(int(now.timestamp()))
    return dict(zip(_HEADERS, (timestamp, _signature(secret, timestamp, body)), strict=True))


def _signature(secret: str, timestamp: str, body: bytes) -> str:
    return "v0=" + hmac.new(secret.encode(), b"v0:%s:%s" % (timestamp.encode(), body), hashlib.sha256).hexdigest()
