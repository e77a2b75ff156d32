"""Load over HTTP from a process of its own: keep-alive connections, each with one request under way at a time."""

from __future__ import annotations

import multiprocessing
import re
import selectors
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.measure import Figures, Wrong

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)
_PATIENCE = 20.0


class Call(NamedTuple):
    """A whole HTTP request, and the body that has to come back with status 200."""

    request: bytes
    reply: bytes


def post(path: str, body: bytes, reply: bytes, headers: dict[str, str]) -> Call:
    """The call that posts `body` and expects `reply`."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return Call("\r\n".join([*lines, "", ""]).encode() + body, reply)


@dataclass(frozen=True)
class Client:
    """A process that makes calls; starting it is no part of what is measured."""

    pool: ProcessPoolExecutor

    def load(self, port: int, calls: Sequence[Call], connections: int) -> Figures:
        """Make all calls, in turn on so many connections; raises Wrong for a reply that is not the one expected."""
        seconds, took = self.pool.submit(drive, port, calls, connections).result()
        return rate_and_latencies("requests/s", seconds, took)


@contextmanager
def client() -> Iterator[Client]:
    """A client that is there until the end of the block."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield Client(pool)


def rate_and_latencies(rate: str, seconds: float, took: Sequence[float]) -> Figures:
    """The figures of as many calls as `took` has latencies, all in seconds."""
    percentiles = statistics.quantiles(took, n=100)
    return {rate: len(took) / seconds, "p50 ms": percentiles[49] * 1000, "p99 ms": percentiles[98] * 1000}


def drive(port: int, calls: Sequence[Call], connections: int) -> tuple[float, list[float]]:
    """Make all calls: returns the seconds from the first request to the last reply, and those each call took."""
    left = iter(calls)
    took: list[float] = []
    with selectors.DefaultSelector() as selector:
        for opened in [_Connection(port) for _ in range(connections)]:
            selector.register(opened.socket, selectors.EVENT_READ, opened)
        began = time.perf_counter()
        for key in list(selector.get_map().values()):
            key.data.send(next(left))
        while len(took) < len(calls):
            for key, _ in _ready(selector):
                seconds = key.data.receive()
                if seconds is not None:
                    took.append(seconds)
                    key.data.send(next(left, None))
        ended = time.perf_counter()
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return ended - began, took


def _ready(selector: selectors.BaseSelector) -> list[tuple[selectors.SelectorKey, int]]:
    found = selector.select(_PATIENCE)
    if not found:
        raise Wrong(f"no reply within {_PATIENCE:g} s")
    return found


class _Connection:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, call: Call | None) -> None:
        """Begin a call, if there is one left."""
        if call is not None:
            self._call = call
            self._received = b""
            self._began = time.perf_counter()
            self.socket.sendall(call.request)

    def receive(self) -> float | None:
        """Read what is there: the seconds the call took, or None while its reply is incomplete; raises Wrong."""
        chunk = self.socket.recv(65536)
        self._received += chunk
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if chunk and (not end or (length and len(body) < int(length[1]))):
            return None
        seconds = time.perf_counter() - self._began
        if body != self._call.reply or b" 200 " not in head[:16]:
            raise Wrong(f"wanted {self._call.reply!r}, got {self._received[:1000]!r}")
        return seconds
