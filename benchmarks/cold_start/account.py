"""An AWS account behind a socket on this machine that answers at once: its table is empty and takes every write."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.load import HOST


class Account:
    """Answers on a port of its own until the end of the block; `requests` are all so far, as (operation, body).

    `secret` is what every parameter in its Parameter Store says.
    """

    def __init__(self, secret: str) -> None:
        self.requests: list[tuple[str, bytes]] = []
        requests, parameter = self.requests, json.dumps({"Parameter": {"Value": secret}}).encode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                requests.append((self.headers["x-amz-target"], body))
                answer = parameter if self.headers["x-amz-target"] == "AmazonSSM.GetParameter" else b"{}"
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
                self.wfile.write(head.encode() + answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS client has to be told."""
        return {
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self._server.server_port}",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
        }

    def __enter__(self) -> Account:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
