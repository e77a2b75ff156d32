"""The endpoints that the world calls, answered on the loop's thread; the pages get all the rest, on the pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from botplatform.hosts.local.doors import Doors
from botplatform.hosts.local.http.access import Access
from botplatform.hosts.local.http.connection import Answer
from botplatform.hosts.local.http.errors import guarded
from botplatform.hosts.local.http.limits import EVENTS_LIMIT, SIGNED_LIMIT
from botplatform.hosts.local.http.messages import Request, Response, json_response, refusal
from botplatform.hosts.local.http.server import HttpServer
from botplatform.hosts.local.http.waiting import Waiting
from botplatform.hosts.records import Receipt
from botplatform.source import Raw

# Slack takes an empty body as "seen"; {} would be shown as an error under a command.
_SEEN = Response(200, b"", (("Content-Type", "text/html; charset=utf-8"),))
_METHODS = {"/slack": "POST", "/alexa": "POST", "/events": "POST", "/health": "GET"}


class Endpoints:
    """`POST /slack`, `POST /alexa`, `POST /events` and `GET /health` into the `doors`; `page` answers what is else.

    `/slack` and `/alexa` are open to the world, since every request is signed; `access` decides on all others.
    """

    routes: ClassVar[set[tuple[str, str]]] = {(method, path) for path, method in _METHODS.items()}

    def __init__(self, doors: Doors, access: Access, page: Callable[[Request], Response]) -> None:
        self._doors = doors
        self._access = access
        self._page = page

    def check(self, head: Request) -> int | Response:
        """How many bytes a request may bring; or the response that refuses whoever sends it."""
        return SIGNED_LIMIT if head.path in ("/slack", "/alexa") else self._access.refused(head) or EVENTS_LIMIT

    def serve(self, request: Request, answer: Answer, server: HttpServer) -> None:
        """Begin to serve a request."""
        path = request.path
        method = _METHODS.get(path)
        if method is None:
            server.run_aside(lambda: self._turn_page(request, answer, server))
        elif request.method != method and (request.method, method) != ("HEAD", "GET"):
            answer(refusal(405, f"{path} takes {method}, not {request.method}", (("Allow", method),)))
        elif path == "/health":
            answer(self._health())
        else:
            self._let_in(path, Raw(request.body, request.headers), answer, server)

    def _let_in(self, path: str, raw: Raw, answer: Answer, server: HttpServer) -> None:
        """Take in what came; aside, where a certificate may have to be downloaded or there may be thousands."""
        if path == "/slack":
            Waiting(path, _to_slack, answer, server).enter(partial(self._doors.begin_ask, "slack", raw))
        elif path == "/alexa":
            Waiting(path, _to_alexa, answer, server).enter_aside(partial(self._doors.begin_ask, "alexa", raw))
        else:
            Waiting(path, _receipt, answer, server).enter_aside(partial(self._doors.begin_post, raw))

    def _health(self) -> Response:
        damage = self._doors.damage
        return refusal(503, damage) if damage else json_response({"status": "ok"})

    def _turn_page(self, request: Request, answer: Answer, server: HttpServer) -> None:
        page = guarded(request.path, self._page, request)
        server.run(lambda: answer(page))


def _to_alexa(body: Mapping[str, Any]) -> Response:
    return json_response(body)


def _to_slack(body: Mapping[str, Any]) -> Response:
    return json_response(body) if body else _SEEN


def _receipt(receipt: Receipt) -> Response:
    return json_response(receipt.to_dict(), 202)
