"""The console's routes: one page, and the JSON it lives on.

    GET  /console/                       the page; `/` redirects here
    GET  /console/api/events?after=&limit=
                                         {"status": …, "events": […]}: how the platform is, and up to `limit` (100;
                                         at most 500) log entries behind number `after` (0), newest first
    GET  /console/api/events/<number>    one entry with its `envelope`, secrets masked; for one that no handler took,
                                         `explanations` (why not) and the `suggestion` of a handler that would; or 404
    GET  /console/api/outbox             {"text": […], "slack": […], "publish": […]}: the latest effects, newest first
    GET  /console/api/plugins            {"loaded": […], "mistakes": […], "alexa_off": "" or why}
    POST /console/api/slack              {"user", "text"} -> the body that answered Slack's request
    POST /console/api/alexa              {"intent" ("" opens the skill), "slots", "session"} -> Alexa's response body
    POST /console/api/mqtt               {"topic", "payload", "qos", "retain"} -> {} once the broker took it

Times are Unix times in seconds. Errors are {"error": a sentence}: 400 for what cannot be, 503 for what may pass.

The app's own check lets in this machine only, under its own name, and no other site's page. What changes something
has to be JSON besides, which no HTML form can send, and bring the page's token in the header X-Console-Token.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from botplatform import codec
from botplatform.console import speaking, view
from botplatform.errors import Rejected, Retry

if TYPE_CHECKING:
    from botplatform.hosts.local.platform import Platform

# More than the embedded broker takes in one message; a command or an intent is far shorter.
BODY_LIMIT = 512 * 1024
_MOST_EVENTS = 500
_LAST_NUMBER = 2**63 - 1
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_console(app: Flask, platform: Platform) -> None:
    """Add the console of `platform` to its app, with a token that is new in each process."""
    token = secrets.token_urlsafe(32)
    console = Blueprint("console", __name__, static_folder="static", template_folder="templates", url_prefix="/console")
    console.before_request(lambda: _only_from_our_page(token))
    console.after_request(_protect)
    console.add_url_rule("/", "page", lambda: render_template("console.html", token=token))
    _add_reading(console, platform)
    _add_speaking(console, platform)
    app.register_blueprint(console)
    app.add_url_rule("/", "home", lambda: redirect("/console/"))


def _add_reading(console: Blueprint, platform: Platform) -> None:
    @console.get("/api/events")
    def events() -> Response:
        after, limit = _number("after", 0, _LAST_NUMBER), _number("limit", 100, _MOST_EVENTS)
        return _json({"status": view.status(platform), "events": view.events(platform, after, limit)})

    @console.get("/api/events/<int:number>")
    def event(number: int) -> Response:
        found = view.event(platform, min(number, _LAST_NUMBER))
        return _json(found) if found else abort(404, f"there is no event {number}")

    @console.get("/api/outbox")
    def outbox() -> Response:
        return _json(view.outbox(platform))

    @console.get("/api/plugins")
    def plugins() -> Response:
        return _json(view.plugins(platform))


def _add_speaking(console: Blueprint, platform: Platform) -> None:
    def add(name: str, shape: Any, speak: Callable[[Platform, Any], Mapping[str, Any]]) -> None:
        console.add_url_rule(f"/api/{name}", name, lambda: _json(speak(platform, _body(shape))), methods=["POST"])

    add("slack", speaking.InSlack, speaking.in_slack)
    add("alexa", speaking.ToAlexa, speaking.to_alexa)
    add("mqtt", speaking.AsDevice, speaking.as_device)
    console.register_error_handler(Retry, lambda retry: _json({"error": str(retry)}, 503))


def _only_from_our_page(token: str) -> None:
    """Refuse what would change something and was not sent by the page we served."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if request.mimetype != "application/json":
        abort(415, "this takes application/json")
    if not hmac.compare_digest(request.headers.get("X-Console-Token", "").encode(), token.encode()):
        abort(403, "the token of the console is missing or old: load the page again")


def _protect(response: AnyResponse) -> AnyResponse:
    response.headers.update(_HEADERS)
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _number(name: str, default: int, most: int) -> int:
    return min(max(0, request.args.get(name, default, type=int)), most)


def _body(shape: Any) -> Any:
    """The JSON that was sent; raises Rejected unless it has this shape."""
    request.max_content_length = BODY_LIMIT
    value = codec.decode(request.get_data(cache=False))
    if misfit := codec.misfit(value, shape):
        raise Rejected(misfit)
    return value


def _json(value: Any, status: int = 200) -> Response:
    return Response(codec.encode(value), status, content_type="application/json")
