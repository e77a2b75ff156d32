"""A web server that answers as a test tells it to, for effects that call one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Answer:
    """What to answer: with `hang`, nothing until the test is over; with `cut`, only half of the body."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    cut: bool = False


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


class Web:
    """Notes requests, and answers each with the next of `answers`, the last one for ever."""

    def __init__(self) -> None:
        self.answers = [Answer()]
        self.requests: list[Request] = []
        self.over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                web.requests.append(Request(self.path, headers, body))
                self.respond(web.answers.pop(0) if len(web.answers) > 1 else web.answers[0])

            def respond(self, answer: Answer) -> None:
                if answer.hang:
                    web.over.wait()
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)

            def log_message(self, *_: object) -> None:
                """Nobody wants to know."""

        return Handler


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.stop()
