"""The console's routes: one page, and the JSON it lives on.

    GET  /console/                       the page; `/` redirects here
    GET  /console/api/events?after=&before=&limit=&source=&type=&subject=&handler=&verdict=&text=&since=&until=
                                         {"status": …, "events": […]}: how the platform is, and up to `limit` (100;
                                         at most 500) log entries that fit a search, as `Search` describes it, newest
                                         first; their numbers are behind `after` (0) and come before `before`
    GET  /console/api/events/<number>    one entry with its `envelope`, secrets masked, and what it is `related` to, as
                                         `connections` describes it; for one that no handler took, `explanations` (why
                                         not) and the `suggestion` of a handler that would; or 404
    GET  /console/api/outbox             {"text": […], "slack": […], "publish": […]}: the latest effects, newest first
    GET  /console/api/plugins            {"loaded": […], "mistakes": […], "alexa_off": "" or why}
    …    /console/api/dead-letters…, replay, backup
                                         what a person does to the state, as `operating` describes it
    POST /console/api/slack              {"user", "text"} -> the body that answered Slack's request
    POST /console/api/alexa              {"intent" ("" opens the skill), "slots", "session"} -> Alexa's response body
    POST /console/api/mqtt               {"topic", "payload", "qos", "retain"} -> {} once the broker took it

Times are Unix times in seconds. Errors are {"error": a sentence}: 400 for what cannot be, 503 for what may pass.

The app's own check lets in this machine only, under its own name, and no other site's page. What changes something
has to be JSON besides, which no HTML form can send, and bring the page's token in the header X-Console-Token.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from botplatform.console import speaking, view
from botplatform.console.exchange import answer, asked_number, asked_search, body
from botplatform.console.operating import add_operating
from botplatform.errors import Retry

if TYPE_CHECKING:
    from botplatform.hosts.local.platform import Platform

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
    """Add the console of `platform` to its app, with the token of this process."""
    token = platform.token
    console = Blueprint("console", __name__, static_folder="static", template_folder="templates", url_prefix="/console")
    console.before_request(lambda: _only_from_our_page(token))
    console.after_request(_protect)
    console.add_url_rule("/", "page", lambda: render_template("console.html", token=token))
    _add_reading(console, platform)
    _add_speaking(console, platform)
    add_operating(console, platform)
    app.register_blueprint(console)
    app.add_url_rule("/", "home", lambda: redirect("/console/"))


def _add_reading(console: Blueprint, platform: Platform) -> None:
    @console.get("/api/events")
    def events() -> Response:
        after, limit = asked_number("after", 0, _LAST_NUMBER), asked_number("limit", 100, _MOST_EVENTS)
        before = asked_number("before", _LAST_NUMBER, _LAST_NUMBER)
        found = view.events(platform, asked_search(), after, before, limit)
        return answer({"status": view.status(platform), "events": found})

    @console.get("/api/events/<int:number>")
    def event(number: int) -> Response:
        found = view.event(platform, min(number, _LAST_NUMBER))
        return answer(found) if found else abort(404, f"there is no event {number}")

    @console.get("/api/outbox")
    def outbox() -> Response:
        return answer(view.outbox(platform))

    @console.get("/api/plugins")
    def plugins() -> Response:
        return answer(view.plugins(platform))


def _add_speaking(console: Blueprint, platform: Platform) -> None:
    def add(name: str, shape: Any, speak: Callable[[Platform, Any], Mapping[str, Any]]) -> None:
        console.add_url_rule(f"/api/{name}", name, lambda: answer(speak(platform, body(shape))), methods=["POST"])

    add("slack", speaking.InSlack, speaking.in_slack)
    add("alexa", speaking.ToAlexa, speaking.to_alexa)
    add("mqtt", speaking.AsDevice, speaking.as_device)
    console.register_error_handler(Retry, lambda retry: answer({"error": str(retry)}, 503))


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
