"""How an error is answered over HTTP, the same on every host: a status, one sentence, and headers if it wants some."""

from __future__ import annotations

from botplatform.errors import Rejected, Retry, StateUnavailable, TooLarge, Unauthorized
from botplatform.values import NamedTuple

# A bug of ours shows nothing of itself.
FAILED = "the platform failed; its log says why"


class Answer(NamedTuple):
    """What whoever asked is told: `{"error": reason}` with this status."""

    status: int
    reason: str
    headers: dict[str, str]


def answer(error: Exception) -> Answer:
    """What to tell whoever caused an error, or had the bad luck to meet it."""
    if isinstance(error, Rejected):
        status = 401 if isinstance(error, Unauthorized) else 413 if isinstance(error, TooLarge) else 400
        return Answer(status, str(error), {})
    if isinstance(error, Retry | StateUnavailable):
        return Answer(503, str(error), {"retry-after": "5"})
    return Answer(500, FAILED, {})
