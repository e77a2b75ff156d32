"""WSGI servers with the same small app, each in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from benchmarks.load import HOST

ROOT = Path(__file__).resolve().parents[1]
# As many as the platform's own server has.
THREADS = "24"
_START_WITHIN = 20.0
_STOP_WITHIN = 10.0

_MODULES = {
    "gunicorn": [
        *("--worker-class", "gthread", "--workers", "1", "--threads", THREADS, "--log-level", "error"),
        *("--bind", f"{HOST}:{{port}}", "benchmarks.servers:echo_app()"),
    ],
    "granian": [
        *("--interface", "wsgi", "--workers", "1", "--blocking-threads", THREADS, "--no-log"),
        *("--host", HOST, "--port", "{port}", "--factory", "benchmarks.servers:echo_app"),
    ],
}


def echo_app() -> Flask:
    """The app: what is posted to it comes back as text in a JSON object."""
    app = Flask("echo", static_folder=None, template_folder=None)

    @app.post("/slack")
    def echo() -> Response:
        reply = {"response_type": "ephemeral", "text": request.get_data(cache=False).decode()}
        return Response(json.dumps(reply), content_type="application/json")

    return app


def installed(name: str) -> bool:
    """Whether a server can be measured."""
    return importlib.util.find_spec(name) is not None


@contextmanager
def serving(name: str) -> Iterator[int]:
    """Run a server until the end of the block; gives its port. Raises CalledProcessError when it does not stop well."""
    port = _free_port()
    own = ["-m", "benchmarks.servers", name, str(port)]
    command = ["-m", name, *(word.format(port=port) for word in _MODULES[name])] if name in _MODULES else own
    with subprocess.Popen([sys.executable, *command], cwd=ROOT) as process:
        try:
            _until_it_listens(process, port)
            yield port
        finally:
            process.terminate()
            if process.wait(_STOP_WITHIN) not in (0, -signal.SIGTERM):
                raise subprocess.CalledProcessError(process.returncode, process.args)


def run_on_a_thread(name: str, port: int, stopping: threading.Event) -> None:
    """Serve the app beside whatever else this process does, and stop cleanly."""
    stop = {"waitress": _waitress, "cheroot": _cheroot}[name](echo_app(), port)
    stopping.wait()
    stop()
    beside = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if beside:
        sys.exit(f"{name} left {beside} behind")


def _waitress(app: Flask, port: int) -> Callable[[], object]:
    from botplatform.hosts.local.http import HttpServer

    return HttpServer(app, HOST, port).stop


def _cheroot(app: Flask, port: int) -> Callable[[], object]:
    server: Any = importlib.import_module("cheroot.wsgi").Server((HOST, port), app, numthreads=int(THREADS))
    server.keep_alive_conn_limit = 100  # it would close the connections above ten after each request
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()

    def stop() -> None:
        server.stop()
        thread.join()

    return stop


def _until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection((HOST, port)):
            return
        time.sleep(0.02)
    raise TimeoutError(f"{process.args!r} does not listen")


def _free_port() -> int:
    with closing(socket.create_server((HOST, 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    run_on_a_thread(sys.argv[1], int(sys.argv[2]), stopping)
