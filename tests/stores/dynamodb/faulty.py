"""A client of DynamoDB whose calls go wrong as a test tells it to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

Fault = Callable[[Callable[[], Any]], Any]
"""What to do instead of a call; it is given the call."""


class Faulty:
    """Hands calls on to `client`, but for those that are to go wrong; `calls` are the names and arguments of all."""

    def __init__(self, client: Any) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._client = client
        self._faults: dict[str, list[Fault]] = {}

    def next(self, operation: str, *faults: Fault) -> None:
        """Let the next calls of an operation go wrong, each in its way."""
        self._faults.setdefault(operation, []).extend(faults)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.calls.append((operation, request))
            faults = self._faults.get(operation)
            real = getattr(self._client, operation)
            return faults.pop(0)(lambda: real(**request)) if faults else real(**request)

        return call


def refused(code: str, message: str = "no", status: int = 400, **more: Any) -> Fault:
    """An error DynamoDB answers with."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}

    def fault(_: Callable[[], Any]) -> Any:
        raise ClientError(answer, "Operation")

    return fault


def cancelled(*codes: str) -> Fault:
    """A transaction that is cancelled, with the reason of each of its actions."""
    reasons = [{"Code": code, "Message": f"because of {code}"} for code in codes]
    return refused("TransactionCanceledException", CancellationReasons=reasons)


def unanswered(call: Callable[[], Any]) -> Any:
    """It happens, and nobody hears of it."""
    call()
    raise ReadTimeoutError(endpoint_url="http://127.0.0.1")


def after(meanwhile: Callable[[], Any]) -> Fault:
    """Something else happens first."""

    def fault(call: Callable[[], Any]) -> Any:
        meanwhile()
        return call()

    return fault
