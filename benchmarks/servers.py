"""HTTP servers, each in a process of its own, with one and the same small app or with whatever WSGI app is named."""

from __future__ import annotations

import importlib.util
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.load import HOST

ROOT = Path(__file__).resolve().parents[1]
# Of the servers that give each request a thread.
THREADS = "24"
ECHO = "benchmarks.servers:echo"
_START_WITHIN = 20.0
_STOP_WITHIN = 10.0
_BIND = ("--host", HOST, "--port", "{port}")
_UVICORN = ("uvicorn", "--http", "httptools", "--no-access-log", "--log-level", "error", "--lifespan", "off", *_BIND)
_ASGI = "benchmarks.servers:echo_asgi"

# Those that run as a module with a command line; the others are started by this one.
_MODULES = {
    "gunicorn": (
        *("gunicorn", "--worker-class", "gthread", "--workers", "1", "--threads", THREADS, "--log-level", "error"),
        *("--bind", f"{HOST}:{{port}}", "{app}"),
    ),
    "granian": ("granian", "--interface", "asgi", "--workers", "1", "--no-log", *_BIND, _ASGI),
    "uvicorn": (*_UVICORN, "--loop", "asyncio", _ASGI),
    "uvicorn on uvloop": (*_UVICORN, "--loop", "uvloop", _ASGI),
}


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The app for WSGI: what is posted to it comes back as text in a JSON object."""
    body = _echoed(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def echo_asgi(
    _: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """The app for ASGI."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    answer = _echoed(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def _echoed(body: bytes) -> bytes:
    return json.dumps({"response_type": "ephemeral", "text": body.decode()}).encode()


def installed(name: str) -> bool:
    """Whether a server can be measured."""
    return name == "ours" or all(importlib.util.find_spec(part) for part in name.split(" on "))


@contextmanager
def serving(name: str, app: str = ECHO) -> Iterator[int]:
    """Run a server until the end of the block; gives its port. Raises CalledProcessError when it does not stop well."""
    port = _free_port()
    own = ("benchmarks.servers", name, "{port}", "{app}")
    words = [word.format(port=port, app=app) for word in _MODULES.get(name, own)]
    with subprocess.Popen([sys.executable, "-m", *words], cwd=ROOT) as process:
        try:
            _until_it_listens(process, port)
            yield port
        finally:
            process.terminate()
            if process.wait(_STOP_WITHIN) not in (0, -signal.SIGTERM):
                raise subprocess.CalledProcessError(process.returncode, process.args)


def run_on_a_thread(name: str, port: int, app: str, stopping: threading.Event) -> None:
    """Serve an app beside whatever else this process does, and stop cleanly."""
    stop = {"waitress": _waitress, "cheroot": _cheroot, "ours": _ours}[name](app, port)
    stopping.wait()
    stop()
    threads = [thread.name for thread in threading.enumerate() if not thread.daemon]
    if threads != ["MainThread"]:
        sys.exit(f"{name} left {threads} behind")


def _ours(_: str, port: int) -> Callable[[], object]:
    from botplatform.hosts.local.http.messages import Request, Response
    from botplatform.hosts.local.http.server import HttpServer

    class Echo:
        """The app for the platform's own server."""

        def check(self, _: Request) -> int:
            return 1024 * 1024

        def serve(self, request: Request, answer: Callable[[Response], None], _: HttpServer) -> None:
            answer(Response(200, _echoed(request.body), (("Content-Type", "application/json"),)))

    return HttpServer(Echo(), HOST, port).stop


def _waitress(app: str, port: int) -> Callable[[], object]:
    """Waitress's loop by itself does not end, so this one's turns are ours."""
    server: Any = importlib.import_module("waitress.server").create_server(
        _named(app), host=HOST, port=port, threads=int(THREADS)
    )
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            server.asyncore.loop(timeout=1, use_poll=True, map=server._map, count=1)

    thread = threading.Thread(target=serve)
    thread.start()

    def stop() -> None:
        server.task_dispatcher.shutdown()
        stopping.set()
        server.pull_trigger()
        thread.join()
        server.close()

    return stop


def _cheroot(app: str, port: int) -> Callable[[], object]:
    server: Any = importlib.import_module("cheroot.wsgi").Server((HOST, port), _named(app), numthreads=int(THREADS))
    server.keep_alive_conn_limit = 100  # it would close the connections above ten after each request
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()

    def stop() -> None:
        server.stop()
        thread.join()

    return stop


def _named(app: str) -> Any:
    """The app, or, with () after its name, what makes it."""
    module, _, name = app.partition(":")
    found = getattr(importlib.import_module(module), name.removesuffix("()"))
    return found() if name.endswith("()") else found


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
    run_on_a_thread(sys.argv[1], int(sys.argv[2]), sys.argv[3], stopping)
