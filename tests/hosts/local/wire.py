"""HTTP byte by byte: requests no client library would send, and what comes back on the same connection."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from http.client import parse_headers
from urllib.parse import urlsplit

from tests.hosts.local.running import Answer


class Wire:
    """A connection of a client to the server at `url`; it waits for an answer for 20 seconds."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20)
        self._received = self._socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._received.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def say_no_more(self) -> None:
        """Send no more, but go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole request."""
        self.send(posted(path, body, headers))

    def answer(self, method: str = "POST") -> Answer:
        """The next answer, to a request of this method."""
        status = int(self._received.readline().split()[1])
        headers = dict(parse_headers(self._received))
        length = 0 if method == "HEAD" else int(headers.get("Content-Length", 0))
        return Answer(status, headers, self._received.read(length))

    def rest(self) -> bytes:
        """All that comes until the server hangs up."""
        return self._received.read()


def posted(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a whole request."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
