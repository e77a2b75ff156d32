"""Which WSGI server should carry the doors? Waitress, which does, beside servers of the same and of other kinds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from benchmarks.commands import commands, echo
from benchmarks.load import Call, Client, client, post
from benchmarks.measure import Contender, Figures, Race
from benchmarks.servers import installed, serving

CALLS = 2000
_SHARES = (
    "shares the engine's process: runs on a thread of it, stops cleanly and leaves none behind (checked each time)"
)
NOTES = {
    "waitress": f"ours; {_SHARES}",
    "cheroot": _SHARES,
    "gunicorn": "gthread, 1 worker; cannot share the process: it forks workers and wants the main thread for signals",
    "granian": "1 worker; cannot share the process: its workers are processes, its embedded server takes no WSGI",
}


def races() -> Iterator[Race]:
    """A race on one connection and one on sixteen."""
    with client() as load, ExitStack() as running:
        ports = {name: running.enter_context(serving(name)) for name in NOTES if installed(name)}
        absent = {name: "it is not installed (benchmarks/README.md)" for name in NOTES if name not in ports}
        calls = [_call(body) for body in commands(CALLS)]
        for connections in (1, 16):
            contenders = [
                Contender(name, partial(_measure, load, port, calls, connections), NOTES[name])
                for name, port in ports.items()
            ]
            yield Race(f"http_server: a Flask JSON echo, keep-alive connections: {connections}", contenders, absent)


def _call(body: bytes) -> Call:
    return post("/slack", body, echo(body), {"Content-Type": "application/x-www-form-urlencoded"})


def _measure(load: Client, port: int, calls: list[Call], connections: int) -> Figures:
    return load.load(port, calls, connections)
