"""HTTP: Flask routes to the doors, and the server that runs them."""

from __future__ import annotations

import hmac
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request
from waitress.server import create_server
from werkzeug.exceptions import HTTPException

from botplatform import codec
from botplatform.errors import BotplatformError
from botplatform.hosts.answers import answer
from botplatform.hosts.local.doors import SEATS, Doors
from botplatform.source import Raw

logger = logging.getLogger(__name__)

# Slack and Alexa send a few KB; a CloudTrail file is a few MB at most.
SIGNED_LIMIT = 1024 * 1024
EVENTS_LIMIT = 32 * 1024 * 1024
THREADS = SEATS + 16
# Beyond, clients wait to be let in; an idle one costs a file handle and little else.
CONNECTIONS = 1000
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def make_app(doors: Doors, allowed_hosts: tuple[str, ...], token: str) -> Flask:
    """The Flask app with the doors in it.

    `/slack` and `/alexa` are open to the world, since every request is signed; everything else is for this machine, or
    for whoever has the `token`, and not for pages of other sites.
    """
    app = Flask("botplatform.console", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = EVENTS_LIMIT
    app.register_error_handler(Exception, _explain)
    app.before_request(lambda: None if request.path in ("/slack", "/alexa") else check_local(allowed_hosts, token))

    @app.post("/slack")
    @app.post("/alexa")
    def signed() -> Response:
        name = request.path[1:]
        answer = doors.ask(name, _raw(SIGNED_LIMIT))
        # Slack takes an empty body as "seen"; {} would be shown as an error under a command.
        return _json(answer) if answer or name == "alexa" else Response(b"")

    @app.post("/events")
    def events() -> Response:
        return _json(doors.post(_raw(EVENTS_LIMIT)).to_dict(), 202)

    @app.get("/health")
    def health() -> Response:
        return _error(503, doors.damage) if doors.damage else _json({"status": "ok"})

    return app


def check_local(allowed_hosts: tuple[str, ...], token: str) -> Response | None:
    """Refuse what another site's page sends, or what asks under a name that is not ours (DNS rebinding)."""
    host = (urlsplit(f"//{request.host}").hostname or "").lower()
    if host not in _LOOPBACK and host not in allowed_hosts:
        return _error(403, f"this is not for {host}: BOTPLATFORM_ALLOWED_HOSTS names further hosts")
    origin = request.headers.get("Origin")
    if origin is not None and origin not in (f"http://{request.host}", f"https://{request.host}"):
        return _error(403, f"not from a page of {origin}")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return _error(403, "not from a page of another site")
    if token and not _has(token):
        challenge = {"WWW-Authenticate": 'Basic realm="botplatform: any name, the events token as password"'}
        return _error(401, "BOTPLATFORM_EVENTS_TOKEN is missing or wrong", challenge)
    return None


def _has(token: str) -> bool:
    given = request.authorization
    shown = (given.token or given.password or "") if given else ""
    return hmac.compare_digest(shown.encode(), token.encode())


def _raw(limit: int) -> Raw:
    request.max_content_length = limit
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Raw(request.get_data(cache=False), headers)


def _json(value: Any, status: int = 200) -> Response:
    return Response(codec.encode(value), status, content_type="application/json")


def _error(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    response = _json({"error": reason}, status)
    response.headers.update(headers or {})
    return response


def _explain(error: Exception) -> Response:
    """Every error as JSON with one sentence; a bug of ours is logged and shows nothing of itself."""
    if isinstance(error, HTTPException):
        return _error(error.code or 500, _LIMITS if error.code == 413 else (error.description or error.name))
    told = answer(error)
    if told.status == 500:
        logger.error("a request to %s failed", request.path, exc_info=not isinstance(error, BotplatformError))
    return _error(*told)


_LIMITS = f"the body is too large: /slack and /alexa take {SIGNED_LIMIT >> 20} MiB, /events {EVENTS_LIMIT >> 20} MiB"


class HttpServer:
    """Serves a WSGI app on a thread of its own; `port` 0 takes a free one. Raises BotplatformError when it is taken."""

    def __init__(self, app: Callable[..., Any], host: str, port: int) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a burst is no news
        listener = _listen(host, port)
        # What is too large is refused by the app, with a sentence; waitress counts the framing of chunks too.
        limit = 2 * EVENTS_LIMIT
        self._server = create_server(
            app,
            sockets=[listener],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            max_request_body_size=limit,
            ident="botplatform",
        )
        self.url = f"http://{_ANY.get(host, host)}:{listener.getsockname()[1]}"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Take no more requests, and let those under way finish."""
        self._server.task_dispatcher.shutdown(timeout=timeout)
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join(timeout)
        self._server.close()

    def _serve(self) -> None:
        """Serve until stopped, then hang up on everybody to whom all is sent."""
        while not self._stopping.is_set():
            self._poll()
        while channels := list(self._server.active_channels.values()):
            for channel in channels:
                channel.close_when_flushed = True
            self._poll()

    def _poll(self) -> None:
        """One turn of waitress's loop, which by itself does not end."""
        self._server.asyncore.loop(timeout=1, use_poll=True, map=self._server._map, count=1)


# Whoever listens on all addresses is at this one too.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise BotplatformError(
            f"cannot listen on {host}:{port}: {why}; stop what listens there or set BOTPLATFORM_PORT"
        ) from error
