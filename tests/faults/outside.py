"""Slack and Amazon SNS as one server on this machine, which fails as it is told to and notes what it took."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs

_SMS = b"""<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"""
SETTINGS = {
    "SLACK_SIGNING_SECRET": "the secret",
    "SLACK_BOT_TOKEN": "xoxb-not-a-token",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


class Answer(NamedTuple):
    """How a message is answered, and whether it was taken first.

    `body` is given in place of what the service says; with `cut` it ends half-way, with `hangs` it does not come until
    the server relents. Status 0 is a connection that ends without a word.
    """

    takes: bool = False
    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = {}
    cut: bool = False
    hangs: bool = False


FINE = Answer(takes=True)


class Message(NamedTuple):
    """A message that came: to which channel, response_url or number; `key` tells its tries, `at` is in seconds."""

    destination: str
    text: str
    key: str
    at: float
    taken: bool


class Outside:
    """Answers messages to a destination with what was given for it, then well."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._answers: dict[str, list[Answer]] = {}
        self._over = threading.Event()
        self._server = self._listen(0)

    @property
    def url(self) -> str:
        """Where everything is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def settings(self) -> dict[str, str]:
        """What leads here."""
        return {**SETTINGS, "SLACK_API_URL": f"{self.url}/api/", "AWS_ENDPOINT_URL": self.url}

    def answers(self, destination: str, *answers: Answer) -> None:
        """Answer the next messages to a destination with these."""
        self._answers.setdefault(destination, []).extend(answers)

    def taken(self, destination: str) -> list[Message]:
        """The messages to a destination that were taken, some perhaps more than once."""
        return [message for message in self.messages if message.taken and message.destination == destination]

    def leave(self) -> None:
        """Take no connection any more."""
        self._server.shutdown()
        self._server.server_close()

    def come_back(self) -> None:
        """Listen again, where it was."""
        self._server = self._listen(self._server.server_port)

    def relent(self) -> None:
        """End the connections of those that it lets hang."""
        self._over.set()

    def stop(self) -> None:
        """Answer nobody any more."""
        self.relent()
        self.leave()

    def _listen(self, port: int) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    def _take(self, message: Message) -> Answer:
        answers = self._answers.get(message.destination)
        answer = answers.pop(0) if answers else FINE
        self.messages.append(message._replace(taken=answer.takes))
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                said, message = _read(self.path, body)
                answer = outside._take(message)
                if answer.hangs:
                    outside._over.wait(60)
                elif answer.status:
                    self.give(answer, said if answer.body is None else answer.body)

            def give(self, answer: Answer, body: bytes) -> None:
                with suppress(OSError):  # whoever asked may have hung up
                    self.send_response(answer.status)
                    for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2] if answer.cut else body)

            def log_message(self, *_: object) -> None:
                """Nobody wants to know."""

        return Handler


def _read(path: str, body: bytes) -> tuple[bytes, Message]:
    """What the service says to a message that it takes, and the message."""
    now = time.monotonic()
    if path == "/":
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return _SMS, Message(fields["PhoneNumber"], fields["Message"], "", now, False)
    said = json.loads(body)
    message = Message(said.get("channel", path), said["text"], said.get("client_msg_id", ""), now, False)
    return b'{"ok": true, "ts": "1.0"}' if message.key else b"ok", message
