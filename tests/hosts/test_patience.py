"""Somebody who waits is told so once, and no answer waits for that."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from botplatform.hosts.patience import wait
from botplatform.source import Post
from tests.effects.conftest import Web
from tests.mosquitto import eventually

SILENCE = 0.05


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.stop()
    for thread in threading.enumerate():
        if thread.name == "meanwhile":
            thread.join(10)


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def told(web: Web) -> Post:
    return Post(f"{web.url}/v1/directives", {"authorization": "Bearer t0ken"}, b"{}")


def test_who_waits_for_long_is_told_so_once(web: Web) -> None:
    over = threading.Event()
    threading.Timer(0.5, over.set).start()

    assert wait(over, soon(), lambda: told(web), SILENCE)
    (request,) = web.requests
    assert (request.path, request.headers["authorization"], request.body) == ("/v1/directives", "Bearer t0ken", b"{}")


def test_who_is_answered_at_once_hears_nothing_else(web: Web) -> None:
    over = threading.Event()
    over.set()

    assert wait(over, soon(), lambda: told(web), SILENCE)
    assert not web.requests


def test_where_the_answer_is_due_first_nothing_else_is_said() -> None:
    assert not wait(threading.Event(), soon(SILENCE), lambda: pytest.fail("it is too late"), silence=2 * SILENCE)


def test_where_nobody_can_be_told_the_answer_is_waited_for() -> None:
    over = threading.Event()
    threading.Timer(2 * SILENCE, over.set).start()

    assert wait(over, soon(), lambda: None, SILENCE)


def test_an_outside_that_hangs_delays_no_answer(web: Web) -> None:
    web.answers[0].hang = True
    over = threading.Event()
    threading.Thread(target=lambda: eventually(lambda: web.requests) or over.set()).start()

    assert wait(over, soon(), lambda: told(web), SILENCE)
    assert [thread.name for thread in threading.enumerate()].count("meanwhile") == 1


@pytest.mark.parametrize("status", [403, 500])
def test_a_refusal_is_logged_without_the_token(status: int, web: Web, caplog: pytest.LogCaptureFixture) -> None:
    web.answers[0].status = status
    with caplog.at_level(logging.WARNING):
        assert not wait(threading.Event(), soon(0.5), lambda: told(web), SILENCE)
        eventually(lambda: caplog.messages)

    (line,) = caplog.messages
    assert line.endswith(f"could not tell that it takes a while: HTTP status {status}")
    assert "t0ken" not in line


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer\r\nx: y"}])
def test_nobody_there_and_a_token_that_is_none_are_logged(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        post = Post(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/directives", headers, b"{}")
        assert not wait(threading.Event(), soon(0.5), lambda: post, SILENCE)
        eventually(lambda: caplog.messages)

    assert "could not tell that it takes a while" in caplog.text
