"""One client's connection: bytes become requests, which are answered one after the other, in their order.

httptools (llhttp, the parser of Node.js, in its strict mode) reads; how much it may read and how long is decided here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url

from botplatform.errors import Overloaded
from botplatform.hosts.local.http.bodies import Bodies
from botplatform.hosts.local.http.errors import explained
from botplatform.hosts.local.http.limits import HEAD_LIMIT, TOO_LARGE
from botplatform.hosts.local.http.messages import JSON_HEADERS, Headers, Request, Response, refusal

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_TOO_MUCH = f"more than {HEAD_LIMIT >> 10} KiB of headers, trailers or sizes of chunks"
# RFC 9110, 8.6: answers that have no body, and say nothing of its length.
_EMPTY = {204, 304}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Answer = Callable[[Response], None]


class Server(Protocol):
    """What a connection wants of its server."""

    @property
    def date(self) -> bytes:
        """The time as HTTP writes it."""

    @property
    def bodies(self) -> Bodies:
        """How much of all requests is in memory."""

    def joined(self, connection: Connection) -> None:
        """Learn of a connection."""

    def left(self, connection: Connection) -> None:
        """Learn that a connection is over."""

    def check(self, head: Request) -> int | Response:
        """How many bytes a request may bring, by its head alone; or the response that refuses it."""

    def serve(self, request: Request, answer: Answer) -> None:
        """Begin to serve a request; `answer` is to be called once, on the loop's thread."""


class Connection(asyncio.Protocol):
    """Reads requests from one client and writes the answers.

    `waiting_since` is the loop's time since which the client is waited for; None while it waits for us.
    """

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting_since: float | None = loop.time()
        self._server = server
        self._loop = loop
        self._parser = HttpRequestParser(self)
        self._queue: deque[tuple[Request | Response, bool]] = deque()
        self._busy = False
        self._deaf = False
        self._head: Request | None = None
        self._framing = 0
        self._size = 0
        self._serving = 0

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; an answer that comes now is nobody's, whatever the cause."""
        del exc
        self._deaf = True
        self._server.bodies.let_go(self._size + sum(len(it.body) for it, _ in self._queue if isinstance(it, Request)))
        self._size = 0
        self._queue.clear()
        self._server.left(self)

    def eof_received(self) -> bool:
        """Answer what was asked, where the client says that it will ask nothing more."""
        self._deaf = True
        return self._busy or bool(self._queue)

    def data_received(self, data: bytes) -> None:
        """Read what came, and begin with the first request in it."""
        if self._deaf:
            return
        self._framing += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._deaf = True  # who asks for another protocol is answered in this one, and then hung up on
        except HttpParserError as error:
            self._refuse(_response_to(error))
        else:
            if self._framing > HEAD_LIMIT + self._size:
                self._refuse(refusal(431, _TOO_MUCH))
        self._next()

    # What httptools tells, while it reads.

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._busy:
            self.waiting_since = self._loop.time()
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """The request's target, or a part of it."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; after the body they are trailers, which nobody here wants."""
        if self._head is None:
            key, text = _key(name), value.decode("latin-1")
            before = self._headers.get(key)
            self._headers[key] = text if before is None else f"{before}{'; ' if key == 'cookie' else ', '}{text}"

    def on_headers_complete(self) -> None:
        """Refuse what can be refused before its body is read."""
        self._head = Request(self._parser.get_method().decode(), _origin_form(self._target), self._headers)
        self._limit = self._checked(self._head)
        if self._headers.get("expect", "").lower() == "100-continue" and self._parser.get_http_version() == "1.1":
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        size = len(body)
        if self._size + size > self._limit:
            raise _Refused(refusal(413, TOO_LARGE))
        self._server.bodies.hold(size)
        self._size += size
        self._framing -= size
        self._body.append(body)

    def on_message_complete(self) -> None:
        """A request is there, and waits for its turn."""
        assert self._head is not None
        method, target, headers, _ = self._head
        # HTTP/1.0 has no way of its own to keep a connection.
        keep = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
        self._queue.append((Request._make((method, target, headers, b"".join(self._body))), keep))
        self._head, self._body, self._framing, self._size = None, [], 0, 0

    # What the server tells.

    def finish(self) -> None:
        """Take no further requests, and hang up when those that are there are answered."""
        self._deaf = True
        if not self._busy and not self._queue:
            self._transport.close()

    def refuse(self, response: Response) -> None:
        """Say why there is no place for a new client."""
        self._refuse(response)
        self._next()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    def _answer(self, response: Response) -> None:
        self._server.bodies.let_go(self._serving)
        if self._transport.is_closing():
            return
        last = not self._keep or (self._deaf and not self._queue)
        self._write(response, last)
        self._busy = False
        if last:
            self._transport.close()
        elif self._queue:
            self._loop.call_soon(self._next)
        else:
            self.waiting_since = self._loop.time()
            self._transport.resume_reading()

    def _next(self) -> None:
        """Begin with the next request, if nothing is under way; while others wait behind it, none is read."""
        if self._busy or not self._queue:
            return
        self._busy, self.waiting_since = True, None
        request, self._keep = self._queue.popleft()
        if self._queue:
            self._transport.pause_reading()
        if isinstance(request, Request):
            self._method, self._serving = request.method, len(request.body)
            self._server.serve(request, self._answer)
        else:
            self._part(request)

    def _part(self, refused: Response) -> None:
        """Say why, and go on taking what is sent, unread: hung up on in the middle, a client may not see the answer."""
        self._method = ""
        self._write(refused, last=True)
        self._transport.write_eof()
        self._transport.resume_reading()
        self._busy, self.waiting_since = False, self._loop.time()

    def _write(self, response: Response, last: bool) -> None:
        status, body, headers = response
        head = [_STATUS_LINES[status], b"Date: ", self._server.date, b"\r\n"]
        head.append(_JSON_LINES if headers is JSON_HEADERS else _lines(headers))
        if status not in _EMPTY:
            head.append(b"Content-Length: %d\r\n" % len(body))
        if last:
            head.append(b"Connection: close\r\n")
        shown = b"" if self._method == "HEAD" else body  # whose length is that of GET's
        self._transport.write(b"".join([*head, b"\r\n", shown]))

    def _refuse(self, response: Response) -> None:
        self._deaf = True
        self._server.bodies.let_go(self._size)
        self._body, self._size = [], 0
        self._queue.append((response, False))

    def _checked(self, head: Request) -> int:
        """How many bytes the body may have; raises _Refused."""
        if head.headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise _Refused(refusal(501, "of the transfer encodings, this takes chunked"))
        allowed = self._server.check(head)
        if isinstance(allowed, Response):
            raise _Refused(allowed)
        if int(head.headers.get("content-length", 0)) > allowed:
            raise _Refused(refusal(413, TOO_LARGE))
        return allowed


class _Refused(Exception):
    """What a request is answered with before it is read to its end."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@lru_cache(256)
def _key(name: bytes) -> str:
    """The name of a header as all look for it: of most, the same ones come time and again."""
    return name.decode("latin-1").lower()


def _lines(headers: Headers) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("latin-1")


_JSON_LINES = _lines(JSON_HEADERS)


def _origin_form(target: bytes) -> str:
    """The path and query of a target, which may be a whole URL; raises HttpParserError for one that is none."""
    if target.startswith(b"/"):
        return target.decode("latin-1")
    url = parse_url(target)
    query = b"" if url.query is None else b"?" + url.query
    return ((url.path or b"/") + query).decode("latin-1")


def _response_to(error: HttpParserError) -> Response:
    """What to answer to bytes that could not be read."""
    cause = error.__context__
    if isinstance(cause, _Refused):
        return cause.response
    if isinstance(cause, Overloaded):
        return explained(cause, "")
    if cause is not None and not isinstance(cause, HttpParserError):
        raise cause  # a bug of ours
    return refusal(400, f"no HTTP request: {error}")
