"""What does a signed slash command cost, from its bytes to its durable reply, beside the least it could cost?"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from benchmarks.commands import SECRET, commands, echo, signed
from benchmarks.load import Client, client, post, rate_and_latencies
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.platforms import running
from benchmarks.servers import ROOT, serving
from botplatform import codec
from botplatform.hosts.local.platform import DATABASE, Platform
from botplatform.source import Raw
from botplatform.store import StateKey, Write

CALLS = 2000
ANSWER = {"response_type": "ephemeral", "text": "It is 21 °C in the kitchen."}
HANDLER = "room_temperature.answer"

Answer = Callable[[Mapping[str, str], bytes], object]


def races() -> Iterator[Race]:
    """A race in process, then one over HTTP on one connection and one on sixteen."""
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name), ROOT / "plugins", SLACK_SIGNING_SECRET=SECRET) as us,
    ):
        us.store.write({StateKey("room_temperature", "kitchen"): Write("put", b"21")})
        with closing(_Floor(Path(name) / "floor.db")) as floor:
            yield Race(
                "slack_command: in process, one at a time",
                [
                    Contender("the floor", floor.measure, "HMAC, form parse, one row committed by SQLite (FULL)"),
                    Contender("the platform", partial(_in_process, us), "verify, parse, route, handle, commit, render"),
                ],
            )
        with client() as load, serving("waitress") as port:
            for connections in (1, 16):
                yield Race(
                    f"slack_command: over HTTP, keep-alive connections: {connections}",
                    [
                        Contender("a Flask echo", partial(_echo, load, port, connections), "nothing kept"),
                        Contender("the platform", partial(_over_http, load, us, connections), "each command durable"),
                    ],
                )


class _Floor:
    """The least a durable answer to a signed command takes."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("CREATE TABLE handled (id TEXT PRIMARY KEY, form BLOB) WITHOUT ROWID")

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def measure(self) -> Figures:
        """Handle commands; each has to leave its row."""
        before = self._count()
        figures = _measure(self._answer)
        _expect(self._count() - before, CALLS)
        return figures

    def _answer(self, headers: Mapping[str, str], body: bytes) -> object:
        basis = b"v0:%s:%s" % (headers["x-slack-request-timestamp"].encode(), body)
        signature = "v0=" + hmac.new(SECRET.encode(), basis, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, headers["x-slack-signature"]):
            raise Wrong("the signature does not fit")
        form = parse_qs(body.decode())
        self._database.execute("INSERT INTO handled VALUES (?, ?)", (form["trigger_id"][0], body))
        return ANSWER

    def _count(self) -> int:
        count: int = self._database.execute("SELECT count(*) FROM handled").fetchone()[0]
        return count


def _in_process(us: Platform) -> Figures:
    before = _handled(us)
    figures = _measure(lambda headers, body: us.doors.ask("slack", Raw(body, headers)))
    _expect(_handled(us) - before, CALLS)
    return figures


def _measure(answer: Answer) -> Figures:
    """Have commands answered one after the other, and check each answer."""
    took = []
    for body in commands(CALLS):
        headers = signed(body)
        began = time.perf_counter()
        answered = answer(headers, body)
        took.append(time.perf_counter() - began)
        if answered != ANSWER:
            raise Wrong(f"wanted {ANSWER}, got {answered}")
    return rate_and_latencies("commands/s", sum(took), took)


def _over_http(load: Client, us: Platform, connections: int) -> Figures:
    reply = codec.encode(ANSWER)
    port = urlsplit(us.url).port
    assert port
    before = _handled(us)
    figures = load.load(port, [post("/slack", body, reply, signed(body)) for body in commands(CALLS)], connections)
    _expect(_handled(us) - before, CALLS)
    return figures


def _echo(load: Client, port: int, connections: int) -> Figures:
    calls = [post("/slack", body, echo(body), signed(body)) for body in commands(CALLS)]
    return load.load(port, calls, connections)


def _handled(us: Platform) -> int:
    """How many commands the platform's file says are done, asked as a stranger would."""
    with closing(sqlite3.connect(us.settings.state / DATABASE)) as database:
        found: int = database.execute("SELECT count(*) FROM outcomes WHERE handler = ?", (HANDLER,)).fetchone()[0]
        return found


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise Wrong(f"{wanted} commands were answered and {found} are in the file")
