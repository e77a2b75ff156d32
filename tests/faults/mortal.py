"""A worker or a function that dies of a request to AWS: `python -m tests.faults.mortal OPERATION MOMENT NTH …`.

What follows is `worker QUEUE`, `sweeper QUEUE` for a worker that soon finishes what others left, or `function AHEAD`:
one that is invoked by lines on its standard input, each answered by one line on standard output, and whose clock is
some seconds ahead.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS

# What botocore tells the handlers of its events: that a request is about to be sent, and that it was answered.
MOMENTS = {"before": "before-send", "after": "response-received"}
SECONDS = 30.0


class Context:
    """What Lambda says of an invocation."""

    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:mortal"

    def get_remaining_time_in_millis(self) -> int:
        return int(SECONDS * 1000)


def arm(operation: str, moment: str, nth: int) -> None:
    """Have this process kill itself at the nth request of an operation, of whatever client it is."""
    requests = count(1)

    def step(**_: Any) -> None:
        if next(requests) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    BUILTIN_HANDLERS.append((f"{MOMENTS[moment]}.*.{operation}", step))


def work(queue: str, sweep_every: float) -> None:
    """Be a worker that handles one event at a time."""
    from botplatform.hosts.worker.journal import Journal
    from botplatform.hosts.worker.main import serve
    from botplatform.hosts.worker.worker import Worker
    from botplatform.settings import Settings

    journal, settings = Journal(sys.stdout, every=True), Settings.read(os.environ)
    worker = Worker(settings, [queue], [Path("plugins")], journal, threads=1, sweep_every=sweep_every, grace=3)
    serve(worker, partial(print, file=sys.stderr, flush=True))


def be_invoked(ahead: str) -> None:
    """Be a function: the answer to a line is `{"result": …}` or `{"error": "…"}`; what it logs goes to stderr."""
    from botplatform.hosts.aws_lambda.function import Function

    answers, sys.stdout = sys.stdout, sys.stderr
    function = Function(os.environ, lambda: time.time() + float(ahead))
    for line in sys.stdin:
        try:
            answer = {"result": function(json.loads(line), Context())}
        except Exception as error:  # noqa: BLE001 - Lambda, too, takes whatever is raised for a failed invocation
            answer = {"error": repr(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _, operation, moment, nth, role, given = sys.argv
    arm(operation, moment, int(nth))
    match role:
        case "worker":
            work(given, sweep_every=3600)
        case "sweeper":
            work(given, sweep_every=1)
        case "function":
            be_invoked(given)
