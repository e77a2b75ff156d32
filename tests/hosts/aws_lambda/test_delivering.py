"""Senders that try again: batches, retries and dead letters, with state that is really kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.hosts.aws_lambda.calls import SWEEP
from botplatform.hosts.aws_lambda.delivering import Unfinished
from botplatform.store import StateKey
from botplatform.stores.dynamodb import DynamoStore
from tests.hosts.aws_lambda.conftest import ROOT, Aws, Clock, Context, MakeFunction, call

Lines = Callable[[], list[dict[str, Any]]]
SHOP = '''
"""Counts orders, and tells the kitchen."""

from botplatform import Context, Event, Rejected, cloudevents, mqtt

USES = ["publish"]


@cloudevents.event("com.example.order.created")
def count(event: Event, ctx: Context) -> None:
    what = event.data.get("what")
    if what == "poison":
        raise Rejected("we do not sell poison")
    if what == "trouble" and not ctx.state.get("mended"):
        raise ValueError("trouble")
    ctx.state.add("orders", 1)
    ctx.publish("kitchen/orders", event.id)


@cloudevents.event("com.example.mended")
def mend(event: Event, ctx: Context) -> None:
    ctx.state["mended"] = True


@mqtt.topic("shop/{door}", payload="raw")
@mqtt.topic("shop/#", payload="raw")
def visit(event: Event, ctx: Context) -> None:
    ctx.state.add("visits", 1)


@mqtt.topic("shop/#", payload="raw")
def anything(event: Event, ctx: Context) -> None:
    ctx.state.add("messages", 1)
'''


@pytest.fixture
def shop(function: MakeFunction, stage: dict[str, str]) -> Any:
    return function(stage, "cloudevents,mqtt", shop=SHOP)


@pytest.fixture
def state(stage: dict[str, str], aws: Aws) -> Callable[[str], int]:
    """A number in the state of the shop."""
    store = DynamoStore(stage["BOTPLATFORM_TABLE"], aws.client("dynamodb"))
    return lambda key: int(codec.decode(store.read(StateKey("shop", key)).json or b"0"))


def order(id: str, what: str = "cake", customer: str | None = None) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "id": id, "source": "/shop", "type": "com.example.order.created"}
    return {**envelope, "data": {"what": what}, **({"subject": customer} if customer else {})}


MENDED = {"specversion": "1.0", "id": "m", "source": "/shop", "type": "com.example.mended"}


def queue(*bodies: Any, **attributes: str) -> dict[str, Any]:
    """A batch of SQS messages: `1`, `2` and so on."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    numbered = enumerate(texts, 1)
    message = {"eventSource": "aws:sqs", "attributes": {"ApproximateReceiveCount": "1", **attributes}}
    return {"Records": [{"messageId": str(n), "body": text, **message} for n, text in numbered]}


def failed(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


# Batches.


def test_a_batch_names_only_what_has_to_come_again_and_that_is_done_once(
    shop: Any, state: Callable[[str], int], aws: Aws
) -> None:
    batch = queue(order("a"), order("b", "trouble"), order("c"))

    assert failed(shop(batch, Context())) == ["2"]
    assert state("orders") == 2
    shop(queue(MENDED), Context())
    assert failed(shop(batch, Context())) == []
    assert state("orders") == 3
    assert sorted(aws.published) == [("kitchen/orders", id.encode()) for id in "abc"]


def test_behind_a_failure_of_its_key_nothing_is_run_but_all_is_reported(shop: Any, state: Callable[[str], int]) -> None:
    batch = queue(order("a", "trouble", "ann"), order("b", "cake", "bob"), order("c", "cake", "ann"))

    assert failed(shop(batch, Context())) == ["1", "3"]
    assert state("orders") == 1


def test_a_stream_comes_again_from_the_first_failure_on(shop: Any, state: Callable[[str], int]) -> None:
    value = call("kinesis")
    record = value["Records"][0]
    bodies = [order("a"), order("b", "trouble", "ann"), order("c"), order("d", "trouble", "bob")]
    value["Records"] = [
        {**record, "kinesis": {**record["kinesis"], "partitionKey": body["id"], "sequenceNumber": body["id"],
                               "data": codec.to_base64(json.dumps(body).encode())}}
        for body in bodies
    ]  # fmt: skip

    assert failed(shop(value, Context())) == ["b"]
    assert state("orders") == 2


def test_what_there_is_no_time_for_is_reported(shop: Any, state: Callable[[str], int]) -> None:
    assert failed(shop(queue(order("a"), order("b")), Context(0.9))) == ["1", "2"]
    assert state("orders") == 0


def test_a_poison_record_becomes_a_dead_letter_at_once(
    shop: Any, stage: dict[str, str], aws: Aws, state: Callable[[str], int]
) -> None:
    assert failed(shop(queue("no event at all", order("b")), Context())) == []

    (letter,) = aws.letters(stage["BOTPLATFORM_DEAD_LETTERS"])
    assert codec.from_base64(letter["body_base64"], "") == b"no event at all"
    assert letter["reason"].startswith("not JSON")
    assert state("orders") == 1


def test_without_a_queue_for_dead_letters_poison_is_reported(function: MakeFunction, aws: Aws) -> None:
    forgetful = function(aws.settings, "cloudevents", shop=SHOP)

    assert failed(forgetful(queue("no event at all"), Context())) == ["1"]


def test_while_dead_letters_cannot_be_kept_poison_is_reported(shop: Any, aws: Aws) -> None:
    aws.refuses.add("sqs")

    assert failed(shop(queue("no event at all"), Context())) == ["1"]


def test_what_a_handler_rejects_becomes_a_dead_letter_with_its_envelope(
    shop: Any, stage: dict[str, str], aws: Aws
) -> None:
    assert failed(shop(queue(order("a", "poison")), Context())) == []

    (letter,) = aws.letters(stage["BOTPLATFORM_DEAD_LETTERS"])
    assert (letter["handler"], letter["reason"]) == ("shop.count", "we do not sell poison")
    assert letter["event"] == {**order("a", "poison"), "datacontenttype": "application/json"}


def test_a_delivery_counts_as_an_attempt(shop: Any, lines: Lines) -> None:
    shop(queue(order("a"), ApproximateReceiveCount="3"), Context())

    assert lines()[0]["handlers"][0]["attempts"] == 3


def test_a_dead_letter_that_is_moved_back_is_tried_again(
    shop: Any, stage: dict[str, str], aws: Aws, state: Callable[[str], int]
) -> None:
    shop(queue(order("a", "poison"), "no event at all"), Context())
    letters = aws.letters(stage["BOTPLATFORM_DEAD_LETTERS"])
    letters[0]["event"]["data"]["what"] = "cake"

    shop(queue(*letters), Context())

    assert state("orders") == 1
    assert len(aws.letters(stage["BOTPLATFORM_DEAD_LETTERS"])) == 1


def test_what_lambda_kept_as_a_dead_letter_is_tried_again(shop: Any, state: Callable[[str], int]) -> None:
    event = {"detail-type": "x", "source": "/shop", "detail": order("a")}
    kept = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event, "responsePayload": {}}

    assert failed(shop(queue(kept), Context())) == []
    assert state("orders") == 1


# One at a time.


def test_a_message_that_two_rules_bring_is_handled_once_by_each_handler(shop: Any, state: Callable[[str], int]) -> None:
    message = {"topic": "shop/front", "payload_base64": "aGk=", "timestamp": 1767614400000}

    shop({**message, "id": "of one rule", "filter": "shop/+"}, Context())
    shop({**message, "id": "of the other", "filter": "shop/#"}, Context())

    assert (state("visits"), state("messages")) == (1, 1)


def test_an_event_that_fails_is_an_error_and_comes_again(shop: Any, state: Callable[[str], int]) -> None:
    with pytest.raises(Unfinished, match=r"^shop\.count: ValueError: trouble"):
        shop({"detail-type": "x", "source": "/shop", "detail": order("a", "trouble")}, Context())

    shop(queue(MENDED), Context())
    shop({"detail-type": "x", "source": "/shop", "detail": order("a", "trouble")}, Context())
    assert state("orders") == 1


def test_a_bad_record_among_good_ones_becomes_a_dead_letter(shop: Any, stage: dict[str, str], aws: Aws) -> None:
    notice = call("sns")
    bad = {**notice["Records"][0], "Sns": {"Message": "no event at all"}}
    notice["Records"].append(bad)

    assert shop(notice, Context())["accepted"] == 1
    (letter,) = aws.letters(stage["BOTPLATFORM_DEAD_LETTERS"])
    assert json.loads(codec.from_base64(letter["body_base64"], "")) == notice


def test_while_its_dead_letter_cannot_be_kept_the_notice_comes_again(shop: Any, aws: Aws) -> None:
    notice = call("sns")
    notice["Records"].append({**notice["Records"][0], "Sns": {"Message": "no event at all"}})
    aws.refuses.add("sqs")

    with pytest.raises(Unfinished, match=r"^no dead letter could be kept of: not JSON"):
        shop(notice, Context())


def test_a_notice_with_no_event_in_it_is_an_error(shop: Any, stage: dict[str, str], aws: Aws) -> None:
    with pytest.raises(Rejected, match=r"no source takes the EventBridge event 'x' of '/shop'"):
        shop({"detail-type": "x", "source": "/shop", "detail": {}}, Context())

    assert aws.letters(stage["BOTPLATFORM_DEAD_LETTERS"]) == []


# Effects left behind.


def test_an_effect_that_failed_is_performed_by_the_sweep(
    function: MakeFunction, stage: dict[str, str], aws: Aws, lines: Lines
) -> None:
    clock = Clock()
    shop, sweep = function(stage, "cloudevents", clock, shop=SHOP), function(stage, clock=clock)
    aws.refuses.add("iotdata")
    assert failed(shop(queue(order("a")), Context())) == []
    aws.refuses.clear()
    assert sweep(SWEEP, Context()) == {}
    lines()

    clock.ahead = 3600
    assert sweep(SWEEP, Context()) == {"performed": 1}
    assert aws.published == [("kitchen/orders", b"a")]
    assert [(entry["verdict"], entry["effects"][0]["status"]) for entry in lines()] == [("swept", "performed")]


def test_a_process_that_is_killed_in_the_middle_of_an_effect_has_changed_state_once(
    stage: dict[str, str], aws: Aws, state: Callable[[str], int], shop: Any, tmp_path: Path
) -> None:
    """The commit came before the effect: whoever takes it up finds the event handled and the effect pending."""
    aws.holds["iotdata"] = held = threading.Event()
    script = (
        "import json, sys\n"
        "from botplatform.hosts.aws_lambda.entry import handle\n"
        "handle(json.loads(sys.argv[1]), None)\n"
    )
    environment = {**stage, "BOTPLATFORM_LOAD": "shop", "BOTPLATFORM_SOURCES": "cloudevents", "PATH": os.defpath}
    arguments = [sys.executable, "-c", script, json.dumps(queue(order("a")))]
    with subprocess.Popen(arguments, env={**environment, "PYTHONPATH": f"{tmp_path}:{ROOT}"}) as process:
        while "iotdata" not in aws.asked:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    aws.refuses.add("iotdata")  # what it was about to ask for never came to pass
    held.set()
    while "iotdata" not in aws.refused:
        time.sleep(0.01)
    assert state("orders") == 1

    aws.reset()
    continuation = {"botplatform": "continue", "event": order("a"), "handlers": ["shop.count"]}
    shop(continuation, Context())
    assert (state("orders"), aws.published) == (1, [("kitchen/orders", b"a")])


def test_what_goes_on_for_a_handler_that_is_gone_becomes_a_dead_letter(
    shop: Any, stage: dict[str, str], aws: Aws, lines: Lines
) -> None:
    shop({"botplatform": "continue", "event": order("a"), "handlers": ["shop.gone"]}, Context())
    reason = "no handler shop.gone listens to this any more"
    [letter] = aws.letters(stage["BOTPLATFORM_DEAD_LETTERS"])
    assert (letter["event"]["id"], letter["handler"], letter["reason"]) == ("a", "shop.gone", reason)
    assert [(handler["status"], handler["reason"]) for handler in lines()[-1]["handlers"]] == [("dead", reason)]
