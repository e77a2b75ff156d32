"""A TCP proxy that does what networks do: it cuts, swallows, holds back and trickles."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

HOST = "127.0.0.1"
_CHUNK = 65_536

Edit = Callable[[bytes], bytes]
"""What is sent on in place of what came; it may raise Cut."""


class Cut(Exception):
    """Both ends of the connection are to be reset, with what came last not sent on."""


def _as_it_is(content: bytes) -> bytes:
    return content


class Proxy:
    """Listens on a port of its own, and speaks to another one for whoever connects.

    `to_server` and `to_client` make one Edit for each connection. `delay` is in seconds, before each chunk is sent on;
    `rate` is the most bytes in a second, 0 for no limit.
    """

    def __init__(self, port: int) -> None:
        self.to_server: Callable[[], Edit] = lambda: _as_it_is
        self.to_client: Callable[[], Edit] = lambda: _as_it_is
        self.delay = 0.0
        self.rate = 0
        self.connections = 0
        self._target = port
        self._refuses = False
        self._passes = threading.Event()
        self._passes.set()
        self._lock = threading.Lock()
        self._open: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server((HOST, 0))
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def hang_up(self) -> None:
        """Reset every connection."""
        with self._lock:
            open_, self._open = self._open, []
        for pair in open_:
            _reset(*pair)

    def swallow(self) -> None:
        """Send nothing on, and answer nobody, until `heal`."""
        self._passes.clear()

    def refuse(self) -> None:
        """Reset every connection, and each new one at once, until `heal`."""
        self._refuses = True
        self.hang_up()

    def half_close(self, client: bool) -> None:
        """Tell the client, or the server, that nothing more comes; the other direction goes on."""
        with self._lock:
            ends = [pair[0] if client else pair[1] for pair in self._open]
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_WR)

    def heal(self) -> None:
        """Be a good network again."""
        self.to_server = self.to_client = lambda: _as_it_is
        self.delay, self.rate, self._refuses = 0.0, 0, False
        self._passes.set()

    def stop(self) -> None:
        """Listen no more, and reset what is open."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.heal()
        self.hang_up()

    def _listen(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                self._connect(self._listener.accept()[0])

    def _connect(self, client: socket.socket) -> None:
        self.connections += 1
        try:
            server = socket.create_connection((HOST, self._target), timeout=5) if not self._refuses else None
        except OSError:
            server = None
        if server is None:
            _reset(client)
            return
        server.settimeout(None)
        with self._lock:
            self._open.append((client, server))
        for source, sink, edit in ((client, server, self.to_server()), (server, client, self.to_client())):
            threading.Thread(target=self._pump, args=(source, sink, edit), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, edit: Edit) -> None:
        """Send on what comes from one end, until that ends or breaks."""
        try:
            while content := source.recv(min(self.rate, _CHUNK) or _CHUNK):
                self._passes.wait()
                time.sleep(self.delay + (len(content) / self.rate if self.rate else 0))
                sink.sendall(edit(content))
            sink.shutdown(socket.SHUT_WR)
        except Cut:
            _reset(source, sink)
        except OSError:
            _reset(source, sink)


def _reset(*ends: socket.socket) -> None:
    """End connections without a word of goodbye."""
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
