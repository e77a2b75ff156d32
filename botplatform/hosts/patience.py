"""Waits for an answer on somebody's behalf, and has them told when it takes a while, where their system can do that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from botplatform.source import Post

# Seconds of silence after which people believe that they were not heard.
SILENCE = 3.0
# Seconds within which it has to be told, to come before the answer.
TIMEOUT = 1.0


def wait(
    over: threading.Event, deadline: float, meanwhile: Callable[[], Post | None], silence: float = SILENCE
) -> bool:
    """Wait until `over` is set, `deadline` (by `time.monotonic`) at the latest; returns whether it is set.

    After `silence` seconds, what `meanwhile` gives is sent, once. That delays nothing, and when it fails, the log says
    so and nobody else.
    """
    if time.monotonic() + silence < deadline and not over.wait(silence):
        tell(meanwhile())
    return over.wait(max(0.0, deadline - time.monotonic()))


def tell(post: Post | None) -> None:
    """Send what says that it takes a while, if anything does, and wait for nothing."""
    if post:
        threading.Thread(target=_send, args=(post,), name="meanwhile", daemon=True).start()


def _send(post: Post) -> None:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from logging import getLogger
    from urllib.parse import urlsplit

    url = urlsplit(post.url)
    kind = HTTPConnection if url.scheme == "http" else HTTPSConnection
    connection = kind(url.netloc, timeout=TIMEOUT)
    try:
        connection.request("POST", url.path, post.body, dict(post.headers))
        response = connection.getresponse()
        failure = f"HTTP status {response.status}" if response.status >= 300 else ""
    # A header that cannot be sent is a ValueError.
    except (OSError, HTTPException, ValueError) as error:
        failure = str(error) or type(error).__name__
    finally:
        connection.close()
    if failure:
        getLogger(__name__).warning("%s could not tell that it takes a while: %s", url.netloc, failure)
