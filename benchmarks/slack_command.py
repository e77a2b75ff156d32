"""What does a signed slash command cost, in process and over HTTP, beside the least it could cost and beside Bolt?"""

from __future__ import annotations

import hmac
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from urllib.parse import parse_qs, urlsplit

from benchmarks import bolt_commands
from benchmarks.bars import BY_HAND, Bar, at_least, at_most
from benchmarks.by_hand import ByHand
from benchmarks.commands import ANSWER, SECRET, commands, named, of_many, signed
from benchmarks.load import Call, Client, client, post
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.platforms import running
from benchmarks.servers import ROOT, installed, serving
from botplatform import codec, slack
from botplatform.engine import Engine
from botplatform.errors import Rejected
from botplatform.handlers import handlers_in
from botplatform.hosts.local.groups import AHEAD_LIMIT
from botplatform.hosts.local.http.connection import Answer as Answered
from botplatform.hosts.local.http.limits import SIGNED_LIMIT
from botplatform.hosts.local.http.messages import Request, json_response
from botplatform.hosts.local.http.server import HttpServer
from botplatform.hosts.local.platform import DATABASE, Platform
from botplatform.hosts.runner import Runner
from botplatform.router import Router
from botplatform.source import Raw
from botplatform.sources.cloudevents import SOURCE as CLOUDEVENTS
from botplatform.sources.slack import SOURCE, signature
from botplatform.store import Run, StateKey, Write
from botplatform.stores.forgetful import Forgetful

CALLS = 2000
HANDLER = "room_temperature.answer"
BOLT = {
    "bolt on waitress": ("waitress", "eager", "process_before_response, Bolt's own WSGI adapter, 24 threads"),
    "bolt on gunicorn": ("gunicorn", "eager", "the same; gthread, 1 worker, 24 threads"),
    "bolt in Flask": ("waitress", "in_flask", "the same in Flask, as its documentation begins; on waitress"),
    "bolt by default": (
        "waitress",
        "default",
        "listeners on threads of Bolt's, as it is without settings; on waitress",
    ),
}

BEST = ("bolt on waitress", "bolt on gunicorn")
_KEY = SECRET.encode()
_ABSENT = "it is not installed (benchmarks/README.md)"

Answer = Callable[[Mapping[str, str], bytes], object]
"""Headers and body to the answer, decoded."""
Clock = Callable[[], float]


def races() -> Iterator[Race]:
    """In process with few and many commands, durably one at a time, and over HTTP on one connection and on sixteen."""
    codec.use_msgspec()
    for number in (10, 1000):
        yield _in_process(number)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        us = stack.enter_context(running(Path(name), ROOT / "plugins", SLACK_SIGNING_SECRET=SECRET))
        us.store.write({StateKey("room_temperature", "kitchen"): Write("put", b"21")})
        yield _durable(stack.enter_context(closing(_Floor(Path(name) / "floor.db"))), us)
        load = stack.enter_context(client())
        by_hand = stack.enter_context(closing(_ByHand(Path(name) / "by-hand.db")))
        yield _over_http(load, us, by_hand, 1, [at_least("the platform", 10, of="bolt by default")])
        rates = [at_least("the platform", 4, of=name) for name in BEST]
        latencies = [at_most("the platform", 1 / 3, of=name, figure="p99 ms") for name in BEST]
        yield _over_http(load, us, by_hand, 16, [*rates, *latencies])


def _in_process(number: int) -> Race:
    bodies = of_many(CALLS, number)
    # Every ninth is enough of what takes milliseconds, and each command has its turn.
    bolt = partial(_cost, bolt_commands.answering(number), bodies[::9])
    contenders = [
        Contender("the floor", partial(_cost, _least(number), bodies), "HMAC, parse_qs, one look-up"),
        Contender("the platform", partial(_cost, _ours(number), bodies), "verify, normalize, route, handle, render"),
        Contender("bolt", bolt, "its dispatch, process_before_response"),
    ]
    bars = [at_most("the platform", 2, of="the floor")]
    return Race(f"slack_command: in process, {number:,} commands", contenders, bars=bars)


def _durable(floor: _Floor, us: Platform) -> Race:
    contenders = [
        Contender("the floor", floor.measure, "HMAC, form parse, one row committed by SQLite (FULL)"),
        Contender("the platform", partial(_through_the_doors, us), "all of it, and the commit"),
    ]
    return Race("slack_command: in process and durable, one at a time", contenders)


def _over_http(load: Client, us: Platform, by_hand: _ByHand, connections: int, bars: Sequence[Bar]) -> Race:
    """The platform keeps each command, though what changes nothing is answered before; a peer keeps nothing."""
    absent = {name: _ABSENT for name, (server, _, _) in BOLT.items() if not installed(server)}
    contenders = [
        Contender(name, partial(_bolt, load, server, app, connections), note)
        for name, (server, app, note) in BOLT.items()
        if name not in absent
    ]
    least = f"the platform's server: HMAC, form, one look-up; log entry and marker, {AHEAD_LIMIT} a commit"
    ours = [
        Contender(BY_HAND, partial(by_hand.measure, load, connections), least),
        Contender("the platform", partial(_platform, load, us, connections), "its own server; each command is kept"),
    ]
    title = f"slack_command: over HTTP, keep-alive connections: {connections}"
    return Race(title, [*contenders, *ours], absent, bars)


def _cost(answer: Answer, bodies: Sequence[bytes], clock: Clock = time.process_time) -> Figures:
    """Have commands answered one after the other; each has to be answered with the same words.

    CPU time is what counts, since what other processes do takes nothing of it, unless the disk is part of the answer.
    """
    requests = [(signed(body), body) for body in bodies]
    began = clock()
    answers = [answer(headers, body) for headers, body in requests]
    seconds = clock() - began
    wrong = next((answered for answered in answers if answered != ANSWER), None)
    if wrong is not None:
        raise Wrong(f"wanted {ANSWER}, got {wrong}")
    unit = "µs of CPU" if clock is time.process_time else "µs"
    return {unit: seconds / len(bodies) * 1e6}


def _least(number: int) -> Answer:
    """What an answer takes that looks at nothing it does not need."""
    known = {named(n): ANSWER for n in range(number)}

    def answer(headers: Mapping[str, str], body: bytes) -> object:
        _check_signature(headers, body)
        return known[parse_qs(body.decode())["command"][0]]

    return answer


def _check_signature(headers: Mapping[str, str], body: bytes) -> None:
    basis = b"v0:%s:%s" % (headers["x-slack-request-timestamp"].encode(), body)
    if not hmac.compare_digest(f"v0={hmac.digest(_KEY, basis, 'sha256').hex()}", headers["x-slack-signature"]):
        raise Wrong("the signature does not fit")


def _ours(number: int) -> Answer:
    """What a host does between a request and its answer, where the handler keeps nothing."""
    router = Router(handlers_in("rooms", _plugin(number), __file__))
    engine = Engine(Forgetful(), {"slack": SOURCE, "cloudevents": CLOUDEVENTS}, time.time, list)
    runner = Runner(engine, router, {}, bury=_lost, log=lambda _: None)

    def answer(headers: Mapping[str, str], body: bytes) -> object:
        signature.verify(SECRET, headers, body, datetime.fromtimestamp(time.time(), UTC))
        event = next(SOURCE.normalize(Raw(body, headers)))
        if isinstance(event, Rejected):
            raise event
        (match,) = router.route(event)
        return SOURCE.render(event, runner.run(event, match, Run()).reply)

    return answer


def _plugin(number: int) -> ModuleType:
    """A plugin that answers so many commands."""
    module = ModuleType("rooms")
    for n in range(number):
        answer = FunctionType(_answer.__code__, {"ANSWER": ANSWER, "__name__": "rooms"}, f"answer_{n}")
        setattr(module, f"answer_{n}", slack.command(f"{named(n)} {{room}}")(answer))
    return module


def _answer() -> str:
    return ANSWER["text"]


def _lost(*letter: object) -> None:
    raise Wrong(f"a handler failed: {letter}")


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
        figures = _cost(self._answer, commands(CALLS), time.perf_counter)
        _expect(self._count() - before, CALLS)
        return figures

    def _answer(self, headers: Mapping[str, str], body: bytes) -> object:
        _check_signature(headers, body)
        form = parse_qs(body.decode())
        self._database.execute("INSERT INTO handled VALUES (?, ?)", (form["trigger_id"][0], body))
        return ANSWER

    def _count(self) -> int:
        count: int = self._database.execute("SELECT count(*) FROM handled").fetchone()[0]
        return count


class _ByHand:
    """The least an answer over HTTP takes that is kept: what is answered waits for no commit, as the platform's."""

    def __init__(self, file: Path) -> None:
        self._log = ByHand(file, "urn:slack:by-hand", "com.slack.command")
        self._server = HttpServer(self, "127.0.0.1", 0)

    def measure(self, load: Client, connections: int) -> Figures:
        """Answer commands; each has to be kept."""
        port, before = urlsplit(self._server.url).port, self._log.count()
        assert port
        figures = load.load(port, _calls(codec.encode(ANSWER)), connections)
        self._log.commit()
        _expect(self._log.count() - before, CALLS)
        return figures

    def check(self, _: Request) -> int:
        """Any head will do."""
        return SIGNED_LIMIT

    def serve(self, request: Request, answer: Answered, _: HttpServer) -> None:
        """Answer a command."""
        _check_signature(request.headers, request.body)
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self._log.keep(form["trigger_id"], form["command"], form, ANSWER)
        if len(self._log) >= AHEAD_LIMIT:
            self._log.commit()
        answer(json_response(ANSWER))

    def close(self) -> None:
        """Stop, and let go of the file."""
        self._server.stop()
        self._log.close()


def _through_the_doors(us: Platform) -> Figures:
    before = _handled(us)
    figures = _cost(lambda headers, body: us.doors.ask("slack", Raw(body, headers)), commands(CALLS), time.perf_counter)
    _settle(us)
    _expect(_handled(us) - before, CALLS)
    return figures


def _platform(load: Client, us: Platform, connections: int) -> Figures:
    port = urlsplit(us.url).port
    assert port
    before = _handled(us)
    figures = load.load(port, _calls(codec.encode(ANSWER)), connections)
    _settle(us)
    _expect(_handled(us) - before, CALLS)
    return figures


def _bolt(load: Client, server: str, app: str, connections: int) -> Figures:
    with serving(server, f"benchmarks.bolt_commands:{app}()") as port:
        return load.load(port, _calls(json.dumps(ANSWER).encode()), connections)


def _calls(reply: bytes) -> list[Call]:
    return [post("/slack", body, reply, signed(body)) for body in commands(CALLS)]


def _handled(us: Platform) -> int:
    """How many commands the platform's file says are done, asked as a stranger would."""
    with closing(sqlite3.connect(us.settings.state / DATABASE)) as database:
        found: int = database.execute("SELECT count(*) FROM outcomes WHERE handler = ?", (HANDLER,)).fetchone()[0]
        return found


def _settle(us: Platform) -> None:
    """Wait for the disk: where a command changed nothing, it is answered before."""
    while us.busy():
        time.sleep(0.001)


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise Wrong(f"{wanted} commands were answered and {found} are in the file")
