"""One connection to a broker, as far as what goes out: which packets await an answer, and what it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from paho.mqtt.enums import MessageType

from botplatform.errors import Retry

Question = tuple[MessageType, int]
"""The type of the packet that is to answer, and its packet id."""


class Link:
    """What was sent on one connection, and what the broker said to it; safe to use from any thread.

    An answer is why the broker refuses, or nothing. `max_qos` is the highest QoS that it takes, `receive_maximum` how
    many messages before it has answered the first.
    """

    def __init__(self, address: str, max_qos: int, receive_maximum: int) -> None:
        self.max_qos = max_qos
        self._address = address
        self._turns = threading.Semaphore(receive_maximum)
        self._asked: dict[Question, Future[str]] = {}
        self._broken = False
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, timeout: float) -> Iterator[None]:
        """Wait until the broker takes one more message, at most for so many seconds; raises TimeoutError."""
        if not self._turns.acquire(timeout=timeout):
            raise TimeoutError
        try:
            yield
        finally:
            self._turns.release()

    def ask(self, question: Question, send: Callable[[], object]) -> Future[str]:
        """The answer to a packet, which is sent unless it was on this connection: MQTT 5.0, 4.4 allows no second time.

        Raises Retry when the connection broke, as the answer may.
        """
        with self._lock:
            if self._broken:
                raise self._break()
            if question not in self._asked:
                send()
                self._asked[question] = Future()
            return self._asked[question]

    def answered(self, question: Question, refusal: str = "") -> None:
        """Note an answer, whether or not somebody still waits for it."""
        with self._lock:
            answer = self._asked.get(question)
        if answer is not None and not answer.done():
            answer.set_result(refusal)

    def forget(self, *questions: Question) -> None:
        """Forget what nobody will ask for any more."""
        with self._lock:
            for question in questions:
                self._asked.pop(question, None)

    def breaks(self) -> None:
        """Let nobody wait, or send anything, any more."""
        with self._lock:
            self._broken = True
            unanswered = [answer for answer in self._asked.values() if not answer.done()]
        for answer in unanswered:
            answer.set_exception(self._break())

    def _break(self) -> Retry:
        return Retry(f"the connection to {self._address} broke")
