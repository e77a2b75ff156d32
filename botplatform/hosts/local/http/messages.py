"""A request as it was read and the response to it, as values."""

from __future__ import annotations

from collections.abc import Mapping

from botplatform import codec
from botplatform.values import NamedTuple

Headers = tuple[tuple[str, str], ...]
JSON_HEADERS: Headers = (
    ("Content-Type", "application/json"),
    ("Cross-Origin-Resource-Policy", "same-origin"),  # pages of other sites do not even learn that somebody answered
    ("X-Content-Type-Options", "nosniff"),
)


class Request(NamedTuple):
    """A whole request; `target` is the path and query as they were sent, names of headers are in lower case.

    Headers that came several times are joined with ", " (RFC 9110, 5.3), cookies with "; " (RFC 6265, 5.4).
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class Response(NamedTuple):
    """An answer; what frames it (length, date, connection) is no part of it."""

    status: int
    body: bytes = b""
    headers: Headers = ()


def json_response(value: object, status: int = 200, headers: Headers = ()) -> Response:
    """A JSON value as a response."""
    return Response._make((status, codec.encode(value), (*JSON_HEADERS, *headers) if headers else JSON_HEADERS))


def refusal(status: int, reason: str, headers: Headers = ()) -> Response:
    """An error as a response: one sentence, as JSON."""
    return json_response({"error": reason}, status, headers)
