"""How much a request may bring."""

from __future__ import annotations

from typing import Final

# Slack and Alexa send a few KB; a CloudTrail file is a few MB at most.
SIGNED_LIMIT: Final = 1024 * 1024
EVENTS_LIMIT: Final = 32 * 1024 * 1024
# Of a request line and its headers, by the time they are incomplete; nothing that is sent to us has a tenth of it.
HEAD_LIMIT: Final = 64 * 1024
TOO_LARGE: Final = (
    f"the body is too large: /slack and /alexa take {SIGNED_LIMIT >> 20} MiB, /events {EVENTS_LIMIT >> 20} MiB"
)
