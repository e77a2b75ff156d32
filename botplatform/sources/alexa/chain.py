"""Downloads the certificate chain that Alexa signed a request with."""

from __future__ import annotations

import ssl
import time
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

import certifi

from botplatform.errors import Unauthorized

TIMEOUT = 5.0
LIMIT = 64 * 1024


def download(url: str, context: ssl.SSLContext | None = None, timeout: float = TIMEOUT) -> bytes:
    """Return what lies at an https URL: at most 64 KiB, and never from where a redirect points.

    `context` says which servers to trust, by default those with a root of certifi; `timeout` is in seconds, for
    every wait and for the whole download. Raises `Unauthorized` with the reason: what cannot be had proves nothing.
    """
    try:
        return _get(url, context or ssl.create_default_context(cafile=certifi.where()), timeout)
    except (OSError, HTTPException, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise Unauthorized(f"the certificate chain {url} could not be downloaded: {reason}") from error


def _get(url: str, context: ssl.SSLContext, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("it is not an https URL")
    connection = HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)
    try:
        connection.request("GET", parts._replace(scheme="", netloc="", fragment="").geturl())
        response = connection.getresponse()
        if response.status != HTTPStatus.OK:
            raise ValueError(f"the server answered {response.status}, not 200")
        return _read(response, deadline)
    finally:
        connection.close()


def _read(response: HTTPResponse, deadline: float) -> bytes:
    content = b""
    while piece := response.read1(LIMIT + 1):
        content += piece
        if len(content) > LIMIT:
            raise ValueError(f"it is longer than {LIMIT} bytes")
        # The socket's own timeout starts anew with every byte that a slow server sends.
        if time.monotonic() > deadline:
            raise TimeoutError("it took too long")
    return content
