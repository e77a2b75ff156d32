"""The real platform in this process, asked without a network: its endpoints and pages, its dispatcher, its SQLite."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response as WsgiResponse

from botplatform import codec
from botplatform.console.pages import add_console
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.hosts.local.development import alexa_authority, slack_secret
from botplatform.hosts.local.http import errors
from botplatform.hosts.local.http.access import Access
from botplatform.hosts.local.http.endpoints import Endpoints
from botplatform.hosts.local.http.messages import Request, Response
from botplatform.hosts.local.http.pages import make_app, respond
from botplatform.hosts.local.platform import Platform
from botplatform.sources.slack import signature
from tests.hosts.local.running import Answer, configured, written

ROOT = Path(__file__).resolve().parents[2]
# With this header, whoever sends has the keys: Slack's, Alexa's, the console's.
GENUINE = "X-Genuine"
# A disk's fsync would be most of the time that a long run takes, and is not what it is about.
_MEMORY = Path("/dev/shm")
_SETTINGS = {"BOTPLATFORM_RECIPIENTS": "owner=+15550100"}
_PICKY = '''
"""Refuses what has no number, so that there are dead letters."""
from botplatform import Context, Event, Rejected, mqtt

@mqtt.topic("gauges/{name}")
def take(event: Event, ctx: Context) -> None:
    if not isinstance(event.data, dict) or not isinstance(event.data.get("bar"), int):
        raise Rejected("bar is no number")
    ctx.state[ctx.params["name"]] = event.data
'''


class App:
    """What a running platform serves, with whatever makes a request genuine put on at the door, if it says so.

    `platform` is what it belongs to, `flask` what its pages are. Backups go into `folder`, whatever path was asked for.
    """

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform = platform
        self._folder = folder
        self.flask = make_app()
        add_console(self.flask, platform)
        self._endpoints = Endpoints(platform.doors, Access((), ""), partial(respond, self.flask))
        self._bugs = _Bugs()
        self._seen = 0

    @property
    def routes(self) -> set[tuple[str, str]]:
        """Every (method, path) there is, paths as Flask writes them."""
        rules = self.flask.url_map.iter_rules()
        pages = {(method, rule.rule) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
        return pages | self._endpoints.routes

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or -1))
        if environ.pop("HTTP_" + GENUINE.upper().replace("-", "_"), None):
            body = self._genuine(environ, body)
        body = self._confined(environ["PATH_INFO"], body)
        response = _Loop().answer(self._endpoints, request_of(environ, body))
        return WsgiResponse(response.body, response.status, list(response.headers))(environ, start_response)

    def ask(self, text: bytes) -> Answer:
        """The answer to a request written down as its first line, headers, an empty line and the body.

        Raises the bug there was, where it is answered with 500.
        """
        chunks, status, headers = run_wsgi_app(self, environ_of(text), buffered=True)
        answer = Answer(int(status.split()[0]), dict(headers), b"".join(chunks))
        if answer.status == 500:
            raise self._bugs.latest
        return answer

    def check_kept(self) -> int:
        """Read all that was kept since the last time, and say how many events; raises Rejected for what is none.

        Backups that were asked for go, lest they fill the disk.
        """
        store = self.platform.store
        for backup in self._folder.glob("_*"):
            backup.unlink()
        store.write({})  # what was submitted to the writer before this is there after it
        new = [entry["number"] for entry in store.log.events(self._seen, limit=1_000_000)]
        self._seen = max([self._seen, *new])
        kept = [store.log.envelope(number) for number in new]
        return sum(map(bool, [*kept, *store.inbox.waiting(), *store.inbox.dead_letters()]))

    def _genuine(self, environ: dict[str, Any], body: bytes) -> bytes:
        """The body as it is to be sent; what proves where it comes from is put into the request."""
        path, proof = environ["PATH_INFO"], {"X-Console-Token": self.platform.token}
        if path == "/slack":
            proof = signature.sign(slack_secret(self.platform.settings), body, datetime.now(UTC))
        elif path == "/alexa":
            body = _timely(body)
            proof = self._authority.sign(body)
        environ.update({"HTTP_" + name.upper().replace("-", "_"): value for name, value in proof.items()})
        return body

    @cached_property
    def _authority(self) -> Any:
        return alexa_authority(self.platform.settings)

    def _confined(self, path: str, body: bytes) -> bytes:
        if not path.endswith(("/backup", "/restore")):
            return body
        with suppress(Rejected):
            asked = codec.decode(body)
            if isinstance(asked, dict) and isinstance(asked.get("path"), str) and asked["path"].startswith("/"):
                asked["path"] = f"{self._folder}/{asked['path'].replace('/', '_')}"
                return codec.encode(asked)
        return body


class _Loop:
    """The server's loop, for as long as one request takes."""

    def __init__(self) -> None:
        self._due: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.run = self.run_soon = self._due.put

    def answer(self, endpoints: Endpoints, request: Request) -> Response:
        allowed = endpoints.check(request._replace(body=b""))
        answers = [allowed] if isinstance(allowed, Response) else []
        if not answers:
            endpoints.serve(request, answers.append, self)
        while not answers:
            self._due.get()()
        return answers[0]

    def run_aside(self, act: Callable[[], None]) -> None:
        act()

    def run_after(self, seconds: float, act: Callable[[], None]) -> Timer:
        timer = Timer(seconds, self.run, (act,))
        timer.start()
        return timer


class _Bugs(logging.Handler):
    """Keeps the latest error of which only the log tells."""

    def __init__(self) -> None:
        super().__init__()
        self.latest: BaseException = AssertionError("nothing in the log tells of it")
        errors.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.latest = record.exc_info[1] if record.exc_info and record.exc_info[1] else self.latest


@contextmanager
def an_app() -> Iterator[App]:
    """An app with the shipped plugins and a picky one, some events in its log and two dead letters."""
    plugins = {path.stem: path.read_text() for path in (ROOT / "plugins").glob("*.py")}
    with TemporaryDirectory(prefix="botplatform-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        folder = Path(name)
        home = written(folder, {**plugins, "picky": _PICKY})
        platform = Platform(configured(folder, **_SETTINGS), [home], entry_points=False, restart=lambda: None)
        try:
            platform.start()
            for number, bar in enumerate((3, "none", None)):
                platform.accept(_gauge(str(number), bar))
            yield App(platform, folder)
        finally:
            platform.stop()


def _gauge(id: str, bar: object) -> Event:
    return Event(type="org.mqtt.message", source="/fuzz", id=id, subject="gauges/cellar", data={"bar": bar})


def request_of(environ: dict[str, Any], body: bytes) -> Request:
    """The request that a server made this WSGI environment of."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name == "CONTENT_TYPE" and value)
    }
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/")
    query = environ.get("QUERY_STRING", "")
    return Request(environ["REQUEST_METHOD"], f"{path}?{query}" if query else path, headers, body)


def environ_of(text: bytes) -> dict[str, Any]:
    """The WSGI environment that a server makes of a request as text; what no server would let through is left out."""
    head, _, body = text.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.decode("latin-1").partition(" ")
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method if method.isascii() and method.isupper() else "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/" + unquote_to_bytes(path.encode("latin-1")).decode("latin-1").lstrip("/"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    }
    return {**environ, **_headers(lines)}


def _headers(lines: Iterable[bytes]) -> dict[str, str]:
    found = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if (
            colon
            and name.replace("-", "").isalnum()
            and value.strip().isprintable()
            and name.lower() != "content-length"
        ):
            prefix = "" if name.lower() == "content-type" else "HTTP_"
            found[prefix + name.upper().replace("-", "_")] = value.strip()
    return found


def _timely(body: bytes) -> bytes:
    """A request of Alexa's with the time of now, so that it is not refused for its age."""
    with suppress(Rejected):
        asked = codec.decode(body)
        if isinstance(asked, dict) and isinstance(asked.get("request"), dict) and "timestamp" in asked["request"]:
            asked["request"]["timestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return codec.encode(asked)
    return body
