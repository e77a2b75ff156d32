"""How long a handler may take and how often it is tried, as it says itself, and what a function tells of it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from botplatform.effect import Effect
from botplatform.engine import Engine
from botplatform.hosts.aws_lambda.delivering import Unfinished
from botplatform.hosts.aws_lambda.function import LINE_LIMIT
from botplatform.hosts.runner import Runner
from botplatform.router import Router
from botplatform.sources.cloudevents import SOURCE
from botplatform.sources.slack.signature import sign
from botplatform.store import Run
from botplatform.stores.dynamodb import DynamoStore
from tests.handlers import happened, match_of
from tests.hosts.aws_lambda.conftest import Aws, Context, MakeFunction
from tests.mosquitto import eventually

SECRET = "s3cret"
LIMITED = '''
"""Says how long it may take, and how often it may be tried."""

import threading

from botplatform import Context, Event, cloudevents, slack

gate = threading.Event()
ran = []


@slack.command("/hang", deadline="200ms")
@cloudevents.event("com.example.slow")
def hang(ctx: Context) -> str:
    ran.append(1)
    gate.wait(20)
    ctx.state["done"] = 1
    return "done"


@cloudevents.event("com.example.failing", retries=1)
def fail(event: Event) -> None:
    raise ValueError("broken")


@cloudevents.event("com.example.once", retries=0)
def once(event: Event) -> None:
    raise ValueError("broken")


@cloudevents.event("com.example.large")
def large(event: Event, ctx: Context) -> None:
    for number in range(event.data):
        ctx.state[f"key {number}"] = "x" * 10_000
'''

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def limited(function: MakeFunction, stage: dict[str, str]) -> Iterator[Any]:
    yield function({**stage, "SLACK_SIGNING_SECRET": SECRET}, "slack,cloudevents", limited=LIMITED)
    let_it_finish()


def let_it_finish() -> None:
    """Let a run that was given up go on to its end, as it does when Lambda thaws the process."""
    plugin().gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("attempt "):
            thread.join(10)


def plugin() -> Any:
    return sys.modules["botplatform_plugins.limited"]


def envelope(kind: str, data: Any = None) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/s", "type": f"com.example.{kind}", "data": data}


def on_the_bus(kind: str, data: Any = None) -> dict[str, Any]:
    """An event as EventBridge brings it from the stage's own bus."""
    return {"source": "/s", "detail-type": f"com.example.{kind}", "detail": envelope(kind, data)}


def in_the_queue(kind: str, attempt: int) -> dict[str, Any]:
    message = {"eventSource": "aws:sqs", "messageId": "m", "body": json.dumps(envelope(kind))}
    return {"Records": [{**message, "attributes": {"ApproximateReceiveCount": str(attempt)}}]}


def reasons(aws: Aws, stage: dict[str, str]) -> list[str]:
    return [letter["reason"] for letter in aws.letters(stage["BOTPLATFORM_DEAD_LETTERS"])]


def done(stage: dict[str, str], aws: Aws) -> bool:
    store = DynamoStore(stage["BOTPLATFORM_TABLE"], aws.client("dynamodb"))
    return bool(list(store.scan("limited", "done")))


# Deadlines.


def test_a_run_that_takes_too_long_is_tried_again_and_nothing_of_its_late_result_happens(
    limited: Any, stage: dict[str, str], aws: Aws
) -> None:
    with pytest.raises(Unfinished, match=r"limited\.hang: it ran for more than 0\.2 s"):
        limited(on_the_bus("slow"), Context())
    let_it_finish()
    assert not done(stage, aws)

    limited(on_the_bus("slow"), Context())
    assert done(stage, aws)
    assert len(plugin().ran) == 2


def test_who_waits_for_a_run_that_takes_too_long_is_told_so(limited: Any, stage: dict[str, str], aws: Aws) -> None:
    body = b"command=%2Fhang&trigger_id=1.2.3&team_id=T0&user_id=U0"
    context = {"http": {"method": "POST", "path": "/slack"}}
    headers = sign(SECRET, body, datetime.now(UTC))
    request = {"rawPath": "/slack", "headers": headers, "requestContext": context, "body": body.decode()}

    assert json.loads(limited(request, Context())["body"])["text"] == "Sorry, that went wrong. It is in the log."
    let_it_finish()
    assert not done(stage, aws)
    assert reasons(aws, stage) == ["it ran for more than 0.2 s"]


def test_a_run_whose_commit_has_begun_by_its_deadline_is_waited_for(
    limited: Any, stage: dict[str, str], aws: Aws
) -> None:
    held = threading.Event()

    def hold_the_commit() -> None:
        eventually(lambda: plugin().ran)
        aws.holds["dynamodb"] = held
        plugin().gate.set()
        time.sleep(0.5)
        aws.holds.clear()
        held.set()

    threading.Thread(target=hold_the_commit).start()
    limited(on_the_bus("slow"), Context())
    assert held.is_set()
    assert done(stage, aws)


# Retries.


def test_without_retries_the_first_failure_makes_a_dead_letter(limited: Any, stage: dict[str, str], aws: Aws) -> None:
    limited(on_the_bus("once"), Context())

    (reason,) = reasons(aws, stage)
    assert reason.startswith("ValueError: broken")


def test_of_a_queue_a_handler_is_given_a_message_as_often_as_it_says(
    limited: Any, stage: dict[str, str], aws: Aws
) -> None:
    assert limited(in_the_queue("failing", attempt=1), Context())["batchItemFailures"] == [{"itemIdentifier": "m"}]
    assert not reasons(aws, stage)
    assert limited(in_the_queue("failing", attempt=2), Context())["batchItemFailures"] == []
    assert len(reasons(aws, stage)) == 1


# Effects.


def test_an_effect_that_hangs_is_left_for_another_try(stage: dict[str, str], aws: Aws) -> None:
    hangs = threading.Event()

    def hang(*_: object) -> dict[str, Any]:
        hangs.wait(20)
        return {}

    def ask(ctx: Any) -> None:
        ctx.effect("fax", {"to": "owner"})

    store = DynamoStore(stage["BOTPLATFORM_TABLE"], aws.client("dynamodb"), grace=0)
    fax = {"fax": Effect("fax", hang, "a fax")}
    engine = Engine(store, {"cloudevents": SOURCE})
    runner = Runner(engine, Router(), fax, lambda *_: None, lambda _: None, effect_deadline=0.1)
    result = runner.run(happened(), match_of(ask, uses={"fax"}), Run(answered=True))
    hangs.set()

    (effect,) = result.entry["effects"]
    assert (effect["status"], effect["result"]) == ("pending", {"reason": "no answer in 0.1 s"})
    assert [effect.attempts for effect in store.pending()] == [1]


# The log.


def test_the_log_tells_what_a_handler_changed(limited: Any, lines: Lines) -> None:
    limited(on_the_bus("large", 2), Context())

    (entry,) = lines()
    first, second = entry["handlers"][0]["changes"]
    assert first == {"plugin": "limited", "key": "key 0", "seen": False, "after": "x" * 10_000}
    assert second["key"] == "key 1"


def test_what_changed_is_left_out_of_a_line_that_would_be_too_long(limited: Any, lines: Lines) -> None:
    limited(on_the_bus("large", 40), Context())

    (entry,) = lines()
    assert len(json.dumps(entry)) < LINE_LIMIT
    assert (entry["envelope"], entry["handlers"][0]["changes"]) == (None, [])
    assert (entry["handlers"][0]["status"], entry["reason"]) == ("done", "(too long to be shown)")
