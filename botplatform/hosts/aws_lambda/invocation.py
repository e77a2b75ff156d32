"""One invocation of a function: how long it may take, and how it goes on in another."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from botplatform.hosts.aws_lambda.calls import Continuation
from botplatform.hosts.aws_lambda.signed import Request, post
from botplatform.values import NamedTuple

# What is kept back of the time Lambda gives: enough to say what became of everything.
RESERVE = 1.0
# Clocks that differ by more than this say nothing about how long a request was under way; seconds.
_PLAUSIBLE = 10.0
# AWS Lambda, "Invoke": accepting an asynchronous invocation takes milliseconds, or something is wrong.
_TIMEOUT = 2.0


class Invocation(NamedTuple):
    """What Lambda says of this invocation (`context`), and when it began by `time.monotonic`."""

    context: Any
    settings: Mapping[str, str]
    began: float

    @property
    def time_left(self) -> float:
        """The seconds this invocation may still take, without the reserve."""
        remaining = getattr(self.context, "get_remaining_time_in_millis", None)
        return remaining() / 1000 - RESERVE if remaining else float("inf")

    def deadline(self, within: float, arrived: float | None = None) -> float:
        """When an answer is due, by `time.monotonic`: `within` seconds from the arrival at AWS (Unix time), if known.

        Before an invocation begins, a function may have had to start.
        """
        before = time.time() - (time.monotonic() - self.began) - arrived if arrived is not None else 0.0
        waited = before if 0 < before < _PLAUSIBLE else 0.0
        return min(self.began + within - waited, time.monotonic() + self.time_left)

    def go_on(self, continuation: Continuation) -> None:
        """Have this function invoked once more, for what there is no time left; raises Retry when nobody took it."""
        from urllib.parse import quote

        name = getattr(self.context, "invoked_function_arn", None) or self.settings.get("AWS_LAMBDA_FUNCTION_NAME", "")
        path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
        headers = {"content-type": "application/json", "x-amz-invocation-type": "Event"}
        post(self.settings, Request("lambda", path, headers, continuation.to_json()), _TIMEOUT)
