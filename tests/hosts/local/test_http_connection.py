"""The server under the doors: what it reads, in what order it answers, and on whom it hangs up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from botplatform.hosts.local.http.bodies import Bodies
from botplatform.hosts.local.http.connection import Answer
from botplatform.hosts.local.http.limits import HEAD_LIMIT
from botplatform.hosts.local.http.messages import Request, Response, refusal
from botplatform.hosts.local.http.server import HttpServer
from tests.hosts.local.wire import Wire, posted
from tests.mosquitto import eventually

LIMIT = 1000
POST = b"POST /a HTTP/1.1\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


class Echo:
    """Says what it was asked; on /slow, when the gate is open. On /large, bodies of a MiB may come."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.served: list[Request] = []

    def check(self, head: Request) -> int | Response:
        if head.path == "/private":
            return refusal(403, "not for you")
        return 2**20 if head.path == "/large" else LIMIT

    def serve(self, request: Request, answer: Answer, server: HttpServer) -> None:
        self.served.append(request)
        said = Response(200, f"{request.method} {request.target} ".encode() + request.body, (("X-Own", "1"),))
        if request.path == "/slow":
            server.run_aside(lambda: self.gate.wait(20) and server.run(lambda: answer(said)))
        else:
            answer(said)


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.gate.set()


@pytest.fixture
def server(echo: Echo) -> Iterator[HttpServer]:
    server = HttpServer(echo, "127.0.0.1", 0, connections=4)
    yield server
    server.stop()


@pytest.fixture
def wire(server: HttpServer) -> Iterator[Wire]:
    with Wire(server.url) as wire:
        yield wire


# Requests one after the other.


def test_a_connection_serves_one_request_after_the_other(wire: Wire) -> None:
    for number in range(3):
        wire.post("/a", b"%d" % number)
        answer = wire.answer()
        assert (answer.status, answer.body, answer.headers["X-Own"]) == (200, b"POST /a %d" % number, "1")
        assert "Connection" not in answer.headers


def test_requests_sent_at_once_are_answered_in_their_order(wire: Wire, echo: Echo) -> None:
    wire.send(posted("/slow", b"1") + posted("/a", b"2"))
    eventually(lambda: echo.served)
    wire.send(posted("/a", b"3"))
    echo.gate.set()
    assert [wire.answer().body for _ in range(3)] == [b"POST /slow 1", b"POST /a 2", b"POST /a 3"]


def test_what_comes_during_a_request_waits_until_that_is_answered(wire: Wire, server: HttpServer, echo: Echo) -> None:
    wire.post("/slow", b"")
    eventually(lambda: echo.served)
    wire.post("/a", b"")
    with Wire(server.url) as other:  # by the time it is answered, the server has read what came before
        other.post("/b", b"")
        other.answer()
    assert [request.path for request in echo.served] == ["/slow", "/b"]


def test_thousands_of_requests_sent_at_once_are_all_answered(wire: Wire) -> None:
    sender = threading.Thread(target=wire.send, args=(posted("/a", b"") * 5000,))
    sender.start()
    assert {wire.answer().body for _ in range(5000)} == {b"POST /a "}
    sender.join()


def test_a_request_may_come_byte_by_byte(wire: Wire) -> None:
    for byte in posted("/a", b"slowly"):
        wire.send(bytes([byte]))
    assert wire.answer().body == b"POST /a slowly"


def test_a_body_may_come_in_chunks_with_trailers(wire: Wire, echo: Echo) -> None:
    wire.send(POST + CHUNKED + b"\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n")
    assert wire.answer().body == b"POST /a abcde"
    assert "x-late" not in echo.served[0].headers


def test_headers_of_one_name_are_joined(wire: Wire, echo: Echo) -> None:
    wire.post("/a", b"", {"X-A": "1", "x-a": "2", "Cookie": "a=1", "cookie": "b=2", "X-Latin": "\xe9"})
    wire.answer()
    headers = echo.served[0].headers
    assert (headers["x-a"], headers["cookie"]) == ("1, 2", "a=1; b=2")


@pytest.mark.parametrize(
    ("target", "seen"),
    [("/a?b=c%20d", "/a?b=c%20d"), ("http://elsewhere/a?b", "/a?b"), ("http://elsewhere", "/"), ("*", "*")],
)
def test_a_target_is_seen_without_whose_it_is(target: str, seen: str, wire: Wire, echo: Echo) -> None:
    wire.send(f"GET {target} HTTP/1.1\r\n\r\n".encode())
    wire.answer()
    assert echo.served[0].target == seen


def test_an_answer_to_head_has_the_length_and_nothing_of_that_length(wire: Wire) -> None:
    wire.send(b"HEAD /a HTTP/1.1\r\n\r\n" + posted("/a", b"next"))
    head = wire.answer("HEAD")
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len("HEAD /a ")))
    assert wire.answer().body == b"POST /a next"


def test_who_waits_before_sending_the_body_is_told_to_go_on(wire: Wire) -> None:
    wire.send(b"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert wire.answer().status == 100
    wire.send(b"ok")
    assert wire.answer().body == b"POST /a ok"


def test_what_is_begun_in_one_turn_of_the_loop_goes_on_together_after_it(server: HttpServer) -> None:
    order: list[str] = []

    def turn() -> None:
        for name in ("first", "second"):
            server.run_soon(partial(order.append, name))
        order.append("turn")

    server.run(turn)
    eventually(lambda: len(order) == 3)
    assert order == ["turn", "first", "second"]


# The end of a connection.


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /a HTTP/1.0\r\n\r\n",
        b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes",
    ],
    ids=["HTTP/1.0", "HTTP/1.0 kept", "close", "upgrade"],
)
def test_after_the_last_answer_the_connection_is_closed(request_: bytes, wire: Wire) -> None:
    wire.send(request_)
    head, _, body = wire.rest().partition(b"\r\n\r\n")
    assert (head[:15], b"Connection: close" in head, body) == (b"HTTP/1.1 200 OK", True, b"GET /a ")


def test_who_will_send_no_more_still_gets_the_answer(wire: Wire, echo: Echo) -> None:
    wire.post("/slow", b"")
    wire.say_no_more()
    eventually(lambda: echo.served)
    echo.gate.set()
    assert wire.answer().body == b"POST /slow "
    assert wire.rest() == b""


def test_an_answer_for_somebody_who_left_is_nobodys(server: HttpServer, wire: Wire, echo: Echo) -> None:
    with Wire(server.url) as gone:
        gone.post("/slow", b"")
        eventually(lambda: echo.served)
    echo.gate.set()
    wire.post("/a", b"")
    assert wire.answer().status == 200


def test_a_client_that_says_nothing_or_never_finishes_is_hung_up_on(echo: Echo) -> None:
    server = HttpServer(echo, "127.0.0.1", 0, patience=0.1)
    try:
        with Wire(server.url) as silent, Wire(server.url) as slow, Wire(server.url) as waiting:
            waiting.post("/slow", b"")
            slow.send(posted("/a", b"half of it")[:-2])
            assert (silent.rest(), slow.rest()) == (b"", b"")
            echo.gate.set()
            assert waiting.answer().status == 200  # it is the server that takes its time here
    finally:
        server.stop()


def test_stopping_answers_what_is_under_way_and_takes_nothing_more(echo: Echo) -> None:
    server = HttpServer(echo, "127.0.0.1", 0)
    with Wire(server.url) as busy, Wire(server.url) as idle:
        idle.post("/a", b"")
        idle.answer()
        busy.post("/slow", b"")
        eventually(lambda: len(echo.served) == 2)
        stopping = threading.Thread(target=server.stop, args=(20.0,))
        stopping.start()
        assert idle.rest() == b""
        echo.gate.set()
        answer = busy.answer()
        stopping.join()
    assert (answer.body, answer.headers["Connection"]) == (b"POST /slow ", "close")


def test_stopping_waits_for_nobody_for_ever(echo: Echo) -> None:
    server = HttpServer(echo, "127.0.0.1", 0)
    with Wire(server.url) as busy:
        busy.post("/slow", b"")
        eventually(lambda: echo.served)
        server.stop(0.01)
        assert busy.rest() == b""


def test_who_is_refused_behind_a_slow_request_may_go_on_sending(wire: Wire, echo: Echo) -> None:
    wire.send(posted("/slow", b"") + b"no request\r\n")
    eventually(lambda: echo.served)
    sender = threading.Thread(target=wire.send, args=(b"x" * 20_000_000,))
    sender.start()
    echo.gate.set()
    assert [wire.answer().status for _ in range(2)] == [200, 400]
    sender.join()


# Where there are too many.


def test_whoever_was_waited_for_longest_makes_room(server: HttpServer, echo: Echo) -> None:
    with ExitStack() as hanging_up:
        oldest, *others = [hanging_up.enter_context(Wire(server.url)) for _ in range(4)]
        for wire in others:
            wire.post("/slow", b"")
        eventually(lambda: len(echo.served) == 3)
        newcomer = hanging_up.enter_context(Wire(server.url))
        assert oldest.rest() == b""
        newcomer.post("/a", b"")
        assert newcomer.answer().status == 200


def test_where_everybody_is_being_served_the_next_is_told_so(server: HttpServer, echo: Echo) -> None:
    with ExitStack() as hanging_up:
        served = [hanging_up.enter_context(Wire(server.url)) for _ in range(4)]
        for wire in served:
            wire.post("/slow", b"")
        eventually(lambda: len(echo.served) == 4)
        for _ in range(3):
            answer = hanging_up.enter_context(Wire(server.url)).answer()
            assert (answer.status, answer.error) == (503, "4 requests are under way")
            assert answer.headers["Retry-After"] == "5"
        echo.gate.set()
        assert [wire.answer().status for wire in served] == [200] * 4


def test_bodies_that_are_too_much_together_are_refused_until_there_is_room(echo: Echo) -> None:
    refused: list[str] = []
    server = HttpServer(echo, "127.0.0.1", 0, Bodies(1, refused.append))
    try:
        with Wire(server.url) as half, Wire(server.url) as other, Wire(server.url) as late, Wire(server.url) as empty:
            for wire in (half, other):
                wire.send(posted("/large", b"x" * 2**20)[: -(2**19)])
            eventually(lambda: server.bodies.level.now() == 1)
            late.post("/a", b"too much")
            answer = late.answer()
            assert (answer.status, answer.headers["Retry-After"], late.rest()) == (503, "5", b"")
            assert answer.error == "1 MiB of requests are in memory, as many as BOTPLATFORM_BODIES_LIMIT allows"
            assert refused == ["refused: the limit of bodies is reached"]
            empty.post("/a", b"")
            assert empty.answer().status == 200
        eventually(lambda: server.bodies.held == 0)
        with Wire(server.url) as wire:
            wire.post("/large", b"x" * 2**20)
            assert wire.answer().status == 200
    finally:
        server.stop()


LEFT = {
    "when it is answered": posted("/a", b"body"),
    "half sent": posted("/a", b"body")[:-2],
    "behind another": posted("/slow", b"body") + posted("/a", b"body") * 3 + posted("/a", b"body")[:-2],
    "in chunks that add up": POST + CHUNKED + b"\r\n" + b"64\r\n%s\r\n" % (b"x" * 100) * 11,
    "before what is no request": posted("/a", b"body") + POST + CHUNKED + b"\r\n3\r\nabc\r\nxyz\r\n",
}


@pytest.mark.parametrize("sent", LEFT.values(), ids=LEFT)
def test_nothing_is_held_of_whoever_left(sent: bytes, server: HttpServer, echo: Echo) -> None:
    with Wire(server.url) as wire, Wire(server.url) as other:
        wire.send(sent)
        other.post("/b", b"")  # by the time it is answered, the server has read what came before
        other.answer()
    echo.gate.set()
    eventually(lambda: server.bodies.held == 0)


# What is no request, or too much of one.

REFUSED = {
    "no HTTP": (b"\x16\x03\x01\x02\x00", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "length and chunks": (POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "chunks and length": (POST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400),
    "a list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nabcde", 400),
    "a signed length": (POST + b"Content-Length: +5\r\n\r\nabcde", 400),
    "chunks last but one": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "another encoding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "a space before the colon": (POST + b"Content-Length : 5\r\n\r\nabcde", 400),
    "a folded header": (POST + b"X-A: 1\r\n 2\r\n\r\n", 400),
    "a bare line feed": (b"GET /a HTTP/1.1\nHost: a\n\n", 400),
    "a NUL": (POST + b"X-A: 1\x002\r\n\r\n", 400),
    "a bad chunk size": (POST + CHUNKED + b"\r\nxyz\r\n", 400),
    "no path": (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
    "a body announced too large": (POST + b"Content-Length: %d\r\n\r\n" % (LIMIT + 1), 413),
    "a body too large and announced to whoever waits": (
        POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1),
        413,
    ),
    "chunks that add up": (POST + CHUNKED + b"\r\n" + b"64\r\n%s\r\n" % (b"x" * 100) * 11, 413),
    "who may not": (b"POST /private HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 403),
    "a head without end": (POST + b"X-A: " + b"a" * 2 * HEAD_LIMIT * 4, 431),
    "trailers without end": (POST + CHUNKED + b"\r\n0\r\n" + b"X-A: 1\r\n" * HEAD_LIMIT, 431),
    "empty lines without end": (b"\r\n" * HEAD_LIMIT * 4, 431),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_or_too_much_of_one_is_refused_and_is_the_last(
    sent: bytes, status: int, wire: Wire, echo: Echo
) -> None:
    wire.send(posted("/a", b"before") + sent)
    assert wire.answer().body == b"POST /a before"
    answer = wire.answer()
    assert (answer.status, answer.headers["Connection"], "\n" in answer.error) == (status, "close", False)
    wire.post("/a", b"after")
    assert wire.rest() == b""
    assert len(echo.served) == 1
