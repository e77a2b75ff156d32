"""Which server should carry the doors? Ours, which does, beside servers of the same and of other kinds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.commands import commands, echo
from benchmarks.load import Call, Client, client, post
from benchmarks.measure import Contender, Figures, Race
from benchmarks.servers import THREADS, installed, serving

CALLS = 3000
WARM_UP = 200
_THREAD = f"WSGI, {THREADS} threads; on a thread of the engine's process"
NOTES = {
    "ours": "`hosts/local/http`: httptools on a loop of asyncio's, on a thread of the engine's process",
    "uvicorn": "ASGI, the same parser and loop",
    "uvicorn on uvloop": "ASGI, the same parser",
    "granian": "ASGI, 1 worker; as a process of its own, which the engine's cannot be",
    "waitress": _THREAD,
    "cheroot": _THREAD,
    "gunicorn": f"WSGI, gthread, 1 worker with {THREADS} threads; it forks, and wants the main thread for signals",
}


def races() -> Iterator[Race]:
    """A race on one connection and one on sixteen."""
    absent = {name: "it is not installed (benchmarks/README.md)" for name in NOTES if not installed(name)}
    calls = [_call(body) for body in commands(CALLS)]
    with client() as load:
        for connections in (1, 16):
            contenders = [
                Contender(name, partial(_measure, load, name, calls, connections), note)
                for name, note in NOTES.items()
                if name not in absent
            ]
            yield Race(f"http_server: a JSON echo, keep-alive connections: {connections}", contenders, absent)


def _call(body: bytes) -> Call:
    return post("/slack", body, echo(body), {"Content-Type": "application/x-www-form-urlencoded"})


def _measure(load: Client, name: str, calls: list[Call], connections: int) -> Figures:
    """Start the server anew: one that runs for long keeps to the pace it fell into, which differs between starts."""
    with serving(name) as port:
        load.load(port, calls[:WARM_UP], connections)
        return load.load(port, calls, connections)
