"""SQS, DynamoDB and SNS as a real server on this machine, and a proxy in front of it where things can go wrong."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from botplatform.aws import client

SETTINGS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


class Mishap(NamedTuple):
    """What happens to a call: `before` it reaches the service, which it then never does; or `after` that, and before
    its answer comes back. `answer` is given in place of the service's; with `cut`, the service's own ends half-way.
    """

    before: Callable[[], object] | None = None
    after: Callable[[], object] = lambda: None
    answer: tuple[int, Mapping[str, Any]] | None = None
    cut: bool = False


# What an answer that is cut off says of its length.
PROMISED = "X-Promised-Length"
THROTTLED = Mishap(answer=(400, {"__type": "ThrottlingException", "message": "Rate exceeded"}))


class Amazon:
    """The services at `url`; `calls` counts by operation what they were asked and did."""

    def __init__(self, service: str) -> None:
        self.calls: Counter[str] = Counter()
        self._service = urlsplit(service)
        self._mishaps: dict[str, list[Mishap]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def settings(self) -> dict[str, str]:
        """What leads here."""
        return {**SETTINGS, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str) -> Any:
        """A client that has no mishaps."""
        return client(service, {**SETTINGS, "AWS_ENDPOINT_URL": self._service.geturl()}, attempts=3, read_timeout=30)

    def happens(self, operation: str, *mishaps: Mishap) -> None:
        """Have these happen to the next calls of an operation."""
        self._mishaps.setdefault(operation, []).extend(mishaps)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _forwarded(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        with _ONE_AT_A_TIME if _wants_to_be_alone(headers, body) else nullcontext():
            return self._ask(path, headers, body)

    def _ask(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(self._service.hostname or "", self._service.port, timeout=40)
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        operation = _operation(headers, body)
        mishaps = self._mishaps.get(operation)
        mishap = mishaps.pop(0) if mishaps else Mishap()
        if mishap.before:
            mishap.before()
            return 503, {}, b""
        if mishap.answer:
            status, content = mishap.answer
            return status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(content).encode()
        answer = self._forwarded(path, headers, _patient(body) if operation == "ReceiveMessage" else body)
        self.calls[operation] += 1
        mishap.after()
        if operation == "ReceiveMessage" and b"ReceiptHandle" not in answer[2]:
            time.sleep(0.1)
        return _half(answer) if mishap.cut else answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        amazon = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
                status, answered, content = amazon._answer(self.path, headers, body)
                with suppress(OSError):  # whoever asked may be dead by now
                    self.send_response_only(status)
                    for name, value in answered.items():
                        if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                            self.send_header(name, value)
                    self.send_header("Content-Length", answered.get(PROMISED, str(len(content))))
                    self.end_headers()
                    self.wfile.write(content)
                    self.close_connection |= PROMISED in answered

            def log_message(self, *_: object) -> None:
                """Nobody wants to know."""

        return Handler


# moto undoes a transaction by putting back all tables as they were before it, with whatever others wrote meanwhile;
# and two receivers of a FIFO queue that wait at the same time may both be given messages of one group.
_ONE_AT_A_TIME = threading.Lock()


def _target(headers: Mapping[str, str]) -> str:
    return {name.lower(): value for name, value in headers.items()}.get("x-amz-target", "")


def _wants_to_be_alone(headers: Mapping[str, str], body: bytes) -> bool:
    return _target(headers).startswith("DynamoDB") or _is_fifo(headers, body)


def _is_fifo(headers: Mapping[str, str], body: bytes) -> bool:
    return _target(headers).endswith("ReceiveMessage") and b'.fifo"' in body


def _half(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str], bytes]:
    status, headers, content = answer
    return status, {**headers, PROMISED: str(len(content))}, content[: len(content) // 2]


def _operation(headers: Mapping[str, str], body: bytes) -> str:
    target = _target(headers)
    return target.rpartition(".")[2] if target else parse_qs(body.decode()).get("Action", [""])[0]


def _patient(body: bytes) -> bytes:
    """A long poll made short: the server does not notice when whoever waits is gone, and gives messages to nobody."""
    wait = 0 if b'.fifo"' in body else 1
    return json.dumps({**json.loads(body), "WaitTimeSeconds": wait}).encode()
