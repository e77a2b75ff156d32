"""`dead-letters`, `events` with filters and `event` against a stage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.test_stage import DONE, Stage, entry
from tests.deploy.cloud import Cloud

LEAK: dict[str, Any] = {
    "specversion": "1.0",
    "id": "leak-1",
    "source": "urn:aws:iot",
    "type": "org.mqtt.message",
    "subject": "sensors/attic/temperature",
    "datacontenttype": "application/json",
    "data": {"celsius": "hot"},
}
COMMAND: dict[str, Any] = {
    "specversion": "1.0",
    "id": "c-1",
    "source": "urn:slack:T1",
    "type": "com.slack.command",
    "subject": "/temp",
    "datacontenttype": "application/json",
    "data": {"command": "/temp", "response_url": "https://hooks.slack.example/1"},
}
OURS = {"botplatform": 1, "event": LEAK, "handler": "too_hot.warn", "reason": "no number", "time": 1_767_610_000.0}
IN_SLACK = {**OURS, "event": COMMAND, "handler": "too_hot.tell", "time": 1_767_610_001.0}
FROM_LAMBDA = {
    "version": "1.0",
    "requestContext": {"functionArn": "slack-function", "condition": "RetriesExhausted"},
    "requestPayload": {"botplatform": "continue", "event": LEAK, "handlers": ["too_hot.warn"]},
    "responsePayload": {"errorMessage": "out of memory"},
}
STRANGE = {"ruleName": "leaks", "failures": [{"errorMessage": "no such function"}]}


@pytest.fixture
def stage(cloud: Cloud) -> Stage:
    stage = Stage(cloud)
    stage.stack.functions[f"botplatform-{stage.name}-slack"].environment["BOTPLATFORM_LOAD"] = "too_hot"
    stage.stack.functions["slack-function"] = stage.stack.functions[f"botplatform-{stage.name}-slack"]
    for output, kind in (("DeadLettersUrl", "dead-letters"), ("QueueUrl", "events")):
        made = cloud.client("sqs").create_queue(QueueName=f"botplatform-{stage.name}-{kind}")
        stage.stack.outputs[output] = made["QueueUrl"]
    return stage


@pytest.fixture
def letters(cli: Run, cloud: Cloud, stage: Stage) -> Callable[..., Any]:
    """Runs a command on the dead letters of the stage."""
    return lambda *arguments, **given: cli("dead-letters", *arguments, *stage.options, **given, **cloud.settings)


def buried(stage: Stage, *letters: dict[str, Any], **attributes: Any) -> list[str]:
    """Put letters into the dead-letter queue; returns their numbers."""
    sqs, url = stage.cloud.client("sqs"), stage.stack.outputs["DeadLettersUrl"]
    return [sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body), **attributes)["MessageId"] for body in letters]


def waiting(stage: Stage, output: str = "DeadLettersUrl") -> list[Any]:
    """What is in a queue of the stage, there for everybody to see."""
    answer = stage.cloud.client("sqs").receive_message(QueueUrl=stage.stack.outputs[output], MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", ())]


def test_they_are_listed_oldest_first_with_their_reasons_and_stay(letters: Run, stage: Stage) -> None:
    numbers = buried(stage, FROM_LAMBDA, OURS, STRANGE)
    lines = letters("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [numbers[1], numbers[0], numbers[2]]
    assert lines[0].endswith("too_hot.warn: no number")
    assert [line.split(" ", 3)[3] for line in lines[1:]] == [
        "org.mqtt.message sensors/attic/temperature   out of memory",
        "no event                                     no such function",
    ]
    assert len(waiting(stage)) == 3


def test_what_eventbridge_could_not_deliver_tells_why(letters: Run, stage: Stage) -> None:
    why = {"ERROR_MESSAGE": {"DataType": "String", "StringValue": "no permission"}}
    buried(stage, LEAK, MessageAttributes=why)
    [found] = [json.loads(line) for line in letters("list", "--json").stdout.splitlines()]
    assert (found["reason"], found["type"], found["handler"]) == ("no permission", "org.mqtt.message", "")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("--handler too_hot.warn", ["leak-1"]),
        ("--type com.slack", ["c-1"]),
        ("--text C-1", ["c-1"]),
        ("--from 2026-01-05T10:46:41Z", ["c-1"]),
        ("--subject nowhere", []),
    ],
)
def test_those_that_fit_are_listed(letters: Run, stage: Stage, filters: str, found: list[str]) -> None:
    buried(stage, OURS, IN_SLACK)
    assert [json.loads(line)["id"] for line in letters("list", "--json", *filters.split()).stdout.splitlines()] == found


def test_one_is_shown_with_its_secrets_masked(letters: Run, stage: Stage) -> None:
    [number] = buried(stage, IN_SLACK)
    shown = letters("show", number).stdout
    assert ('"response_url": "***"' in shown, "hooks.slack" in shown) == (True, False)


def test_ours_goes_back_to_the_function_that_gave_up(letters: Run, stage: Stage) -> None:
    numbers = buried(stage, OURS, IN_SLACK)
    assert letters("retry", *numbers, "--yes").stdout == "2 retried\n"
    assert stage.called == [
        ("queue", {"botplatform": "continue", "event": LEAK, "handlers": ["too_hot.warn"]}),
        ("slack", {"botplatform": "continue", "event": COMMAND, "handlers": ["too_hot.tell"]}),
    ]
    assert waiting(stage) == []


def test_what_lambda_gave_up_goes_back_to_the_function_it_was_for(letters: Run, stage: Stage) -> None:
    buried(stage, FROM_LAMBDA)
    assert letters("retry", "--all").stdout == "1 retried\n"
    assert stage.called == [("slack-function", FROM_LAMBDA["requestPayload"])]


def test_everything_else_goes_back_to_the_queue(letters: Run, stage: Stage) -> None:
    buried(stage, LEAK)
    assert letters("retry", "--all").stdout == "1 retried\n"
    assert (waiting(stage, "QueueUrl"), waiting(stage)) == ([LEAK], [])


def test_one_whose_handler_is_gone_stays(letters: Run, stage: Stage) -> None:
    [number] = buried(stage, {**OURS, "handler": "removed.warn"})
    result = letters("retry", number)
    said = f"no function of stage {stage.name} has removed.warn any more"
    assert (result.exit_code, said in result.stderr, len(waiting(stage))) == (1, True, 1)


def test_edited_data_takes_the_place_of_the_old(letters: Run, stage: Stage) -> None:
    [number] = buried(stage, IN_SLACK)
    edited = json.dumps({"command": "/temp", "response_url": "***", "text": "attic"})
    assert letters("edit", number, "--data", "-", stdin=edited.encode()).exit_code == 0
    [letter] = waiting(stage)
    assert letter == {**IN_SLACK, "event": {**COMMAND, "data": {**COMMAND["data"], "text": "attic"}}}


def test_what_is_no_event_of_a_handler_cannot_be_edited(letters: Run, stage: Stage) -> None:
    [number] = buried(stage, STRANGE)
    result = letters("edit", number, "--data", "-", stdin=b"1")
    assert (result.exit_code, "there is nothing to edit" in result.stderr) == (1, True)


def test_they_are_dropped(letters: Run, stage: Stage) -> None:
    numbers = buried(stage, OURS, STRANGE)
    assert letters("drop", numbers[1], "nothing", "--yes").stdout == "1 dropped\n"
    assert waiting(stage) == [OURS]


# events and event


def test_events_of_a_stage_are_filtered(cli: Run, cloud: Cloud, stage: Stage) -> None:
    stage.wrote("slack", *[entry("com.example.noise", id=str(n)) for n in range(30)], ago=30)
    about = {"id": "d1", "subject": "door", "handlers": [DONE]}
    stage.wrote("alexa", entry("com.example.door", **about), ago=3 * 86_400)
    for filters, found in (
        (["--verdict", "done", "--handler", "meter", "--subject", "door"], ["d1"]),
        (["--type", "*.noise", "-n", "2"], ["28", "29"]),
        (["--to", "2026-01-05T10:00Z"], []),
    ):
        shown = cli("events", *stage.options, "--json", *filters, **cloud.settings).stdout
        assert [json.loads(line)["id"] for line in shown.splitlines()] == found


def test_an_event_of_a_stage_tells_its_story(cli: Run, cloud: Cloud, stage: Stage) -> None:
    change = {"plugin": "meter", "key": "count", "before": 1, "after": 2}
    handler: dict[str, Any] = {**DONE, "finished": time.time(), "attempts": 1, "changes": [change]}
    effect = {**handler["effects"][0], "arguments": {"to": "owner"}}
    told = entry("com.example.door", id="d1", handlers=[{**handler, "effects": [effect]}], envelope={"id": "d1"})
    stage.wrote("alexa", entry("com.example.other", id="d10"), told, ago=30)
    lines = cli("event", "d1", *stage.options, **cloud.settings).stdout.splitlines()
    assert lines[0] == "com.example.door"
    assert "    state     count: 1 -> 2" in lines
    assert '    effect    text pending {"to":"owner"} -> {"reason":"throttled"}' in lines
