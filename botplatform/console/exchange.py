"""How the console's routes read what was asked, a query or JSON of a known shape, and write what they answer."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from werkzeug.datastructures import MultiDict

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.stores.sqlite.search import Search

# More than the embedded broker takes in one message; a command or an intent is far shorter.
BODY_LIMIT = 512 * 1024


def answer(value: Any, status: int = 200) -> Response:
    """Any JSON value as an answer."""
    return Response(codec.encode(value), status, content_type="application/json")


def body(shape: Any) -> Any:
    """The JSON that was sent; raises Rejected unless it has this shape (as `codec.misfit` takes it)."""
    request.max_content_length = BODY_LIMIT
    value = codec.decode(request.get_data(cache=False))
    if misfit := codec.misfit(value, shape):
        raise Rejected(misfit)
    return value


def asked_number(name: str, default: int, most: int) -> int:
    """A number in the query, from 0 to `most`; what is none counts as the default."""
    return min(max(0, _query().get(name, default, type=int)), most)


def asked_search() -> Search:
    """What the query asks for, by the names of Search's fields; raises Rejected for a time that is none."""
    asked = {name: _query().get(name, "") for name in Search._fields}
    return Search(**{**asked, "since": _time("since"), "until": _time("until")})  # type: ignore[arg-type]


def _query() -> MultiDict[str, str]:
    try:
        return request.args
    except UnicodeDecodeError:
        raise Rejected("the query is no UTF-8") from None


def _time(name: str) -> float | None:
    text = _query().get(name)
    try:
        return float(text) if text else None
    except ValueError:
        raise Rejected(f"{text!r} is no Unix time in seconds", name) from None
