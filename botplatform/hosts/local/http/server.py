"""The server: a loop on a thread of its own that reads requests and writes answers, and waits for nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from typing import Protocol

from botplatform.errors import BotplatformError
from botplatform.hosts.local.http.bodies import Bodies
from botplatform.hosts.local.http.connection import Answer, Connection
from botplatform.hosts.local.http.messages import Request, Response, refusal

# For what may block: the disk, a certificate to be downloaded, the console.
THREADS = 16
# Beyond, whoever has kept us waiting longest makes room; one that says nothing costs a file handle and little else.
CONNECTIONS = 1000
# Seconds a client may say nothing, take to send a request, or leave an answer unread.
PATIENCE = 120.0
# Whoever listens on all addresses is at this one too.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}


class App(Protocol):
    """What is served. Both are called on the loop's thread, so neither may wait for anything."""

    def check(self, head: Request) -> int | Response:
        """How many bytes a request may bring, by its head alone; or the response that refuses it."""

    def serve(self, request: Request, answer: Answer, server: HttpServer) -> None:
        """Begin to serve a request; `answer` is to be called once, there too, when there is one."""


class HttpServer:
    """Serves an app on `host`; `port` 0 takes a free one. Raises BotplatformError when it is taken.

    So many `connections` are there at a time; a client is waited for `patience` seconds. `bodies` says how much may be
    in memory.
    """

    def __init__(
        self,
        app: App,
        host: str,
        port: int,
        bodies: Bodies | None = None,
        connections: int = CONNECTIONS,
        patience: float = PATIENCE,
    ) -> None:
        listener = _listen(host, port)
        self.url = f"http://{_ANY.get(host, host)}:{listener.getsockname()[1]}"
        self.check = app.check
        self.bodies = bodies or Bodies()
        self.date = b""
        self._app = app
        self._limit = connections
        self._patience = patience
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(THREADS, "http")
        self._connections: dict[Connection, None] = {}
        self._due: deque[Callable[[], None]] = deque()
        self._woken = False
        self._drained: threading.Event | None = None
        self._thread = threading.Thread(target=self._run, args=(listener,), name="http-loop", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Take no more requests, let those under way finish, for so many seconds, and hang up on everybody."""
        drained = threading.Event()
        self.run(lambda: self._drain(drained))
        drained.wait(timeout)
        self.run(self._end)
        self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def run(self, act: Callable[[], None]) -> None:
        """From any thread: call `act` on the loop's. What comes at once shares one wake-up."""
        self._due.append(act)
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop has ended, and nobody is there to be answered
                self._loop.call_soon_threadsafe(self._catch_up)

    def run_soon(self, act: Callable[[], None]) -> None:
        """On the loop's thread: call `act` there when all that has come by now is read, so that it goes on together."""
        self._due.append(act)
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._catch_up)

    def run_aside(self, act: Callable[[], None]) -> None:
        """Call `act`, which may block, on a thread of the pool."""
        with suppress(RuntimeError):  # as above
            self._pool.submit(act)

    def run_after(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        """On the loop's thread: call `act` there after so many seconds, unless it is cancelled."""
        return self._loop.call_later(seconds, act)

    # What a connection tells, on the loop's thread.

    def joined(self, connection: Connection) -> None:
        """Count a connection, and make room for it where there is none."""
        if len(self._connections) >= self._limit:
            self._make_room(connection)
        self._connections[connection] = None

    def left(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.pop(connection, None)
        self._tell_when_drained()

    def serve(self, request: Request, answer: Answer) -> None:
        """Hand a request to the app."""
        self._app.serve(request, answer, self)

    def _run(self, listener: socket.socket) -> None:
        made = self._loop.create_server(lambda: Connection(self, self._loop), sock=listener, backlog=self._limit)
        self._listening = self._loop.run_until_complete(made)
        self._tick()
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _catch_up(self) -> None:
        self._woken = False
        for _ in range(len(self._due)):
            self._due.popleft()()

    def _tick(self) -> None:
        """Once a second: look at the clock, and hang up on whoever has been waited for too long."""
        self.date = formatdate(usegmt=True).encode()
        overdue = self._loop.time() - self._patience
        for connection in list(self._connections):
            if connection.waiting_since is not None and connection.waiting_since < overdue:
                connection.abort()
        self._loop.call_later(1.0, self._tick)

    def _make_room(self, newcomer: Connection) -> None:
        since = {other: other.waiting_since for other in self._connections if other.waiting_since is not None}
        if since:
            min(since, key=since.__getitem__).abort()
        if len(self._connections) - len(since) >= self._limit:
            newcomer.refuse(refusal(503, f"{self._limit} requests are under way", (("Retry-After", "5"),)))

    def _drain(self, drained: threading.Event) -> None:
        self._listening.close()
        self._drained = drained
        for connection in list(self._connections):
            connection.finish()
        self._tell_when_drained()

    def _tell_when_drained(self) -> None:
        if self._drained and not self._connections:
            self._drained.set()

    def _end(self) -> None:
        for connection in list(self._connections):
            connection.abort()
        self._loop.call_soon(self._loop.stop)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise BotplatformError(
            f"cannot listen on {host}:{port}: {why}; stop what listens there or set BOTPLATFORM_PORT"
        ) from error
