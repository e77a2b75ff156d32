"""What the world does not call, the console first of all: a Flask app that is given whole requests."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WsgiResponse

from botplatform.hosts.local.http.errors import explained
from botplatform.hosts.local.http.limits import EVENTS_LIMIT, TOO_LARGE
from botplatform.hosts.local.http.messages import Request, Response, refusal


def make_app() -> Flask:
    """A Flask app without routes, which answers every error in JSON."""
    app = Flask("botplatform.console", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = EVENTS_LIMIT
    app.register_error_handler(Exception, _explain)
    return app


def respond(app: Flask, asked: Request) -> Response:
    """What the app answers."""
    answered = WsgiResponse.from_app(app, environ_of(asked), buffered=True)
    headers = tuple((name, value) for name, value in answered.headers if name.lower() != "content-length")
    return Response(answered.status_code, answered.get_data(), headers)


def environ_of(asked: Request) -> dict[str, Any]:
    """A request as WSGI has it (PEP 3333)."""
    path, _, query = asked.target.partition("?")
    return {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "botplatform",  # what asks by another name says so in its header
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(asked.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(asked.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **dict(_variables(asked.headers)),
    }


def _variables(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if "_" not in name and name != "content-length":  # x_token would become the same variable as x-token
            variable = name.upper().replace("-", "_")
            yield variable if name == "content-type" else f"HTTP_{variable}", value


def _explain(error: Exception) -> WsgiResponse:
    if isinstance(error, HTTPException):
        reason = TOO_LARGE if error.code == 413 else error.description or error.name
        response = refusal(error.code or 500, reason)
    else:
        response = explained(error, request.path)
    return WsgiResponse(response.body, response.status, list(response.headers))
