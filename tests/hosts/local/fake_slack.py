"""Slack's side of answers and messages, on this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlencode


class FakeSlack:
    """Takes what is sent to Slack, and shows it; while it `is_away` it takes nothing."""

    def __init__(self) -> None:
        fake, self.is_away = self, False
        taken: SimpleQueue[tuple[str, dict[str, Any]]] = SimpleQueue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if fake.is_away:
                    self.send_error(503)
                    return
                taken.put((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"ok": true, "ts": "1.0"}')

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._taken = taken
        self._messages: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def settings(self) -> dict[str, str]:
        """What makes a platform take this for Slack."""
        return {
            "SLACK_SIGNING_SECRET": "the secret",
            "SLACK_BOT_TOKEN": "xoxb-not-a-token",
            "SLACK_API_URL": f"{self.url}/api/",
        }

    def command(self, name: str) -> bytes:
        """A command whose reply may follow at /commands/1; it is the same one each time."""
        fields = {"command": name, "text": "", "team_id": "T1", "user_id": "U1", "trigger_id": "1.2.3"}
        return urlencode({**fields, "response_url": f"{self.url}/commands/1"}).encode()

    def next(self) -> tuple[str, dict[str, Any]]:
        """The path and the content of the next request; waits for it."""
        return self._taken.get(timeout=20)

    def messages(self) -> list[tuple[str, str]]:
        """All messages since the last `forget`, as (channel, or path of the response_url, and text)."""
        while not self._taken.empty():
            path, message = self._taken.get()
            self._messages.append((message.get("channel", path), message.get("text", "")))
        return list(self._messages)

    def forget(self) -> None:
        """Forget the messages so far."""
        self.messages()
        self._messages.clear()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
