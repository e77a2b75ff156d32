"""Slack's request signatures, checked and made.

The rules are Slack's: Slack API, "Verifying requests from Slack". slack_sdk knows them too, but takes longer to import
than a command takes from end to end; the tests hold both to the same.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from botplatform.errors import Unauthorized

# Slack API, "Verifying requests from Slack": older than five minutes may be a replay.
TOLERANCE = 300
# Seconds since 1970 have ten digits for a long time; a number of thousands is no time, and cannot be computed with.
_DIGITS = 12
_TIMESTAMP, _SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raise Unauthorized unless Slack (or whoever holds `secret`) signed exactly these bytes in the last 5 minutes."""
    if not secret.strip():
        raise Unauthorized("there is no SLACK_SIGNING_SECRET to verify with")
    timestamp, signature = _header(headers, _TIMESTAMP), _header(headers, _SIGNATURE)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS):
        raise Unauthorized("the header x-slack-request-timestamp is no time in seconds")
    age = abs(now.timestamp() - int(timestamp))
    if age > TOLERANCE:
        raise Unauthorized(f"the request was signed {age:.0f} s from now, {TOLERANCE} are allowed")
    if not hmac.compare_digest(_signature(secret, timestamp, body).encode(), signature.encode()):
        raise Unauthorized("the signature does not fit the body: is SLACK_SIGNING_SECRET that of this Slack app?")


def sign(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The two headers with which Slack would send `body`."""
    timestamp = str(int(now.timestamp()))
    return {_TIMESTAMP: timestamp, _SIGNATURE: _signature(secret, timestamp, body)}


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise Unauthorized(f"the header {name} is missing")
    return value


def _signature(secret: str, timestamp: str, body: bytes) -> str:
    # Not hmac.digest: it lets go of the interpreter's lock, which costs more in a busy process than it saves.
    keyed = _keyed(secret).copy()
    keyed.update(b"v0:%s:%s" % (timestamp.encode(), body))
    return f"v0={keyed.hexdigest()}"


@lru_cache(maxsize=4)
def _keyed(secret: str) -> hmac.HMAC:
    """To begin with a secret takes as long as to go on with a body."""
    return hmac.new(secret.encode(), digestmod="sha256")
