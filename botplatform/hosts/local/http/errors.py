"""Every error as a response: JSON with one sentence. A bug of ours is logged, and shows nothing of itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from botplatform.errors import BotplatformError
from botplatform.hosts.answers import answer
from botplatform.hosts.local.http.messages import Response, refusal

T = TypeVar("T")
logger = logging.getLogger(__name__)


def explained(error: Exception, path: str) -> Response:
    """What to answer to whoever asked for `path` and met this error."""
    status, reason, headers = answer(error)
    if status == 500:
        logger.error("a request to %s failed", path, exc_info=None if isinstance(error, BotplatformError) else error)
    return refusal(status, reason, tuple((name.title(), value) for name, value in headers.items()))


def guarded(path: str, act: Callable[..., T], *given: object) -> T | Response:
    """What `act` returns, `given` what it takes, or the response that explains why it could not."""
    try:
        return act(*given)
    except Exception as error:  # noqa: BLE001 - a bug of ours ends no connection
        return explained(error, path)
