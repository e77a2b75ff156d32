"""Somebody waits for an answer, and no thread with them: a settled visit or a timer ends it, whichever comes first."""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable
from typing import Generic, TypeVar

from botplatform.hosts.local.doors import Visit
from botplatform.hosts.local.http.connection import Answer
from botplatform.hosts.local.http.errors import guarded
from botplatform.hosts.local.http.messages import Response
from botplatform.hosts.local.http.server import HttpServer
from botplatform.hosts.patience import SILENCE, tell

A = TypeVar("A")
Begin = Callable[[Callable[[], None]], Visit[A]]
"""Begins a visit; what it is given is to be called when that is settled."""


class Waiting(Generic[A]):
    """The wait for one visit, on behalf of a request to `path`; `show` makes a response of what the visit answers.

    Everything happens on the loop's thread, but for what may block.
    """

    __slots__ = ("_answer", "_path", "_server", "_settled", "_show", "_timers", "_visit")

    def __init__(self, path: str, show: Callable[[A], Response], answer: Answer, server: HttpServer) -> None:
        self._path = path
        self._show = show
        self._answer = answer
        self._server = server
        self._visit: Visit[A] | None = None
        self._timers: list[TimerHandle] = []
        self._settled = False

    def enter(self, begin: Begin[A]) -> None:
        """Begin a visit that takes nobody's time, beside those that others begin now."""
        self._server.run_soon(lambda: self._entered(guarded(self._path, begin, self._on_settled)))

    def enter_aside(self, begin: Begin[A]) -> None:
        """Begin a visit on a thread of the pool."""
        self._server.run_aside(lambda: self._hand_over(guarded(self._path, begin, self._on_settled)))

    def _hand_over(self, visit: Visit[A] | Response) -> None:
        self._server.run(lambda: self._entered(visit))

    def _on_settled(self) -> None:
        """From any thread, perhaps while the visit still begins."""
        self._server.run(self._settle)

    def _settle(self) -> None:
        self._settled = True
        if self._visit:
            self._finish(self._visit)

    def _entered(self, visit: Visit[A] | Response) -> None:
        if isinstance(visit, Response):
            self._answer(visit)
        elif self._settled:
            self._answer(self._shown(visit))
        else:
            self._visit = visit
            self._timers = [self._server.run_after(visit.within, lambda: self._hurry(visit))]
            if visit.within > SILENCE:
                self._timers.append(self._server.run_after(SILENCE, lambda: tell(visit.meanwhile())))

    def _finish(self, visit: Visit[A]) -> None:
        self._end()
        self._answer(self._shown(visit))

    def _hurry(self, visit: Visit[A]) -> None:
        """Time is up: what is not durable becomes so, which takes the disk's time, and then the answer goes out."""
        self._end()
        self._server.run_aside(lambda: self._answer_from_aside(self._shown(visit)))

    def _answer_from_aside(self, response: Response) -> None:
        self._server.run(lambda: self._answer(response))

    def _end(self) -> None:
        self._visit = None
        for timer in self._timers:
            timer.cancel()

    def _shown(self, visit: Visit[A]) -> Response:
        return guarded(self._path, self._rendered, visit)

    def _rendered(self, visit: Visit[A]) -> Response:
        return self._show(visit.answer())
