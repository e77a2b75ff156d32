"""Whatever calls a function: one sample of each in fixtures/lambda, from the call to the handler and the answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from botplatform.errors import Rejected, Retry
from botplatform.hosts.aws_lambda.delivering import Unfinished
from botplatform.sources.slack.signature import sign
from tests.hosts.aws_lambda.conftest import CALLS, ROOT, Aws, MakeFunction, call

ALL = "slack,alexa,mqtt,cloudtrail,schedule,cloudevents"
SKILL = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"
LISTENER = '''
"""Hears everything, and keeps nothing."""

from botplatform import Event, alexa, cloudevents, cloudtrail, mqtt, schedule, slack


@slack.command("/temp {room}")
@alexa.intent("TemperatureIntent", samples=["how warm is it"])
def answer(event: Event) -> str:
    return "21 °C"


@mqtt.topic("sensors/{room}/temperature", id_field="reading")
def reading(event: Event) -> None:
    pass


@cloudtrail.event()
def record(event: Event) -> None:
    pass


@schedule.on("rate(1 day)")
def tick(event: Event) -> None:
    pass


@cloudevents.event("com.example.order.created")
def order(event: Event) -> None:
    if event.id == "order-4":
        raise ValueError("not this one")
'''
ORDER, READING, TICK = "order-1", "0d3c2f5e-7d6c-4c39-a5c1-2a9f6e1d7b01", "listener.tick@2026-01-05T06:00:00Z"
RECORD = json.loads((ROOT / "events" / "cloudtrail" / "root-signs-in.json").read_text())["eventID"]
RECEIPT = {"accepted": 1, "rejected": []}
NO_FAILURES: dict[str, Any] = {"batchItemFailures": []}
# What each call without an HTTP request in it brings: the answer, and the ids of the events, by the order of handling.
BROUGHT = {
    "iot-rule": (RECEIPT, [READING]),
    "cloudtrail-eventbridge": (RECEIPT, [RECORD]),
    "own-bus": (RECEIPT, [ORDER]),
    "schedule": (RECEIPT, [TICK]),
    "sqs": (NO_FAILURES, [ORDER, "5fea7756-0ea4-451a-a703-a558b933e272"]),
    "sqs-of-sns": (NO_FAILURES, [ORDER]),
    "sns": (RECEIPT, [ORDER]),
    "kinesis": (NO_FAILURES, [ORDER, RECORD]),
    "logs-subscription": (RECEIPT, [RECORD]),
    "s3-notification": (RECEIPT, [RECORD]),
    "s3-eventbridge": (RECEIPT, [RECORD]),
    "continuation": (None, [ORDER]),
    "sweep": ({}, []),
}
HTTP = [
    "slack-http-api",
    "slack-rest-api",
    "slack-load-balancer",
    "slack-load-balancer-lists",
    "slack-function-url",
]
ELSEWHERE = {"alexa", "events-http-api", "sqs-fifo", "dynamodb-stream"}
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def listener(function: MakeFunction, aws: Aws) -> Any:
    settings = {"SLACK_SIGNING_SECRET": "s3cret", "ALEXA_SKILL_ID": f"amzn1.ask.skill.other, {SKILL}"}
    return function({**aws.settings, **settings, "BOTPLATFORM_EVENTS_TOKEN": "made-up"}, ALL, listener=LISTENER)


@pytest.fixture
def trail(aws: Aws) -> None:
    """The CloudTrail file the S3 samples speak of."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="trail")
    record = json.loads((ROOT / "events" / "cloudtrail" / "root-signs-in.json").read_text())
    key = call("s3-notification")["Records"][0]["s3"]["object"]["key"]
    s3.put_object(Bucket="trail", Key=key, Body=gzip.compress(json.dumps({"Records": [record]}).encode()))


def test_every_sample_is_tried() -> None:
    assert {path.stem for path in CALLS.glob("*.json")} == {*BROUGHT, *HTTP, *ELSEWHERE}


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize("name", BROUGHT)
def test_what_calls_is_answered_and_its_events_handled(name: str, listener: Any, lines: Lines) -> None:
    answer, events = BROUGHT[name]

    assert listener(call(name)) == answer
    logged = lines()
    assert [entry["id"] for entry in logged] == events
    assert all([handler["status"] for handler in entry["handlers"]] == ["done"] for entry in logged)


def signed(name: str) -> Any:
    """A sample of a Slack request, signed now."""
    value = call(name)
    from botplatform.hosts.aws_lambda import http

    headers = sign("s3cret", http.read(value).raw.body, datetime.now(UTC))
    if value.get("headers"):
        value["headers"] = {**value["headers"], **headers}
    if value.get("multiValueHeaders"):
        value["multiValueHeaders"] |= {header: [text] for header, text in headers.items()}
    return value


@pytest.mark.parametrize("name", HTTP)
def test_a_slack_command_is_answered_through_every_door(name: str, listener: Any) -> None:
    answer = listener(signed(name))

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"response_type": "ephemeral", "text": "21 °C"}
    kind = answer.get("headers", {}).get("content-type") or answer["multiValueHeaders"]["content-type"]
    assert kind in ("application/json", ["application/json"])
    assert ("statusDescription" in answer) == ("balancer" in name)


def test_alexa_is_answered(listener: Any) -> None:
    answer = listener(call("alexa"))

    assert answer["response"]["outputSpeech"] == {"type": "PlainText", "text": "21 °C"}


def test_cloudevents_over_http_get_a_receipt(listener: Any) -> None:
    answer = listener(call("events-http-api"))

    assert (answer["statusCode"], json.loads(answer["body"])) == (202, RECEIPT)


def test_in_a_fifo_queue_what_is_behind_a_failure_is_not_run_but_reported(listener: Any, lines: Lines) -> None:
    value = call("sqs-fifo")

    answer = listener(value)

    failed = [record["messageId"] for record in value["Records"]]
    assert answer == {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}
    assert [entry["id"] for entry in lines()] == ["order-4"]


def test_records_of_a_dynamodb_stream_are_refused_by_name(listener: Any, lines: Lines) -> None:
    listener(call("dynamodb-stream"))

    assert [entry["reason"] for entry in lines()] == ["no source takes the records of DynamoDB streams"]


@pytest.mark.usefixtures("trail")
def test_a_notification_of_a_file_may_come_through_a_topic_and_a_queue(listener: Any, lines: Lines) -> None:
    value = call("sqs-of-sns")
    note = json.loads(value["Records"][0]["body"])
    value["Records"][0]["body"] = json.dumps({**note, "Message": json.dumps(call("s3-notification"))})

    assert listener(value) == NO_FAILURES
    assert [entry["id"] for entry in lines()] == [RECORD]


@pytest.mark.parametrize("name", ["s3-notification", "s3-eventbridge"])
def test_a_file_that_cannot_be_read_now_is_asked_for_again(name: str, listener: Any, aws: Aws) -> None:
    aws.refuses.add("s3")

    with pytest.raises(Retry, match="s3://trail/AWSLogs/"):
        listener(call(name))


def test_what_nothing_recognizes_is_an_error_that_shows_its_shape_and_nothing_it_says(listener: Any) -> None:
    with pytest.raises(Rejected) as refused:
        listener({"password": "hunter2", "attempts": [3], "user": {"name": "alice", "more": {"deep": 1}}, "ok": True})

    assert str(refused.value) == (
        "no source recognizes this (attempts, ok, password, user); the function was called with "
        "{password: text, attempts: [number], user: {name: text, more: {…}}, ok: boolean}"
    )


def test_a_call_that_is_no_object_is_refused(listener: Any) -> None:
    with pytest.raises(Rejected, match=r"a function is called with an object, this is text"):
        listener("hello")


def test_a_call_of_our_own_kind_that_is_none_is_refused(listener: Any) -> None:
    with pytest.raises(Rejected, match="no call of our own"):
        listener({"botplatform": "dance"})


def test_an_asynchronous_sender_is_told_by_an_error_that_names_handler_and_reason(listener: Any) -> None:
    value = call("own-bus")
    value["detail"]["id"] = "order-4"

    with pytest.raises(Unfinished, match=r"listener.order: ValueError: not this one \(botplatform_plugins/listener"):
        listener(value)


def test_only_what_the_function_listens_to_is_handled(function: MakeFunction, lines: Lines) -> None:
    mqtt_only = function({}, "mqtt", listener=LISTENER)

    mqtt_only(call("iot-rule"))
    mqtt_only(call("own-bus"))

    assert [(entry["verdict"], len(entry["handlers"])) for entry in lines()] == [("accepted", 1), ("unmatched", 0)]


def test_the_id_a_device_wrote_into_its_payload_counts(listener: Any, lines: Lines) -> None:
    value = call("iot-rule")
    value["payload_base64"] = "eyJyZWFkaW5nIjogNDJ9"  # {"reading": 42}

    listener(value)

    assert [entry["id"] for entry in lines()] == ["sensors/kitchen/temperature#42"]


def test_a_reading_without_an_id_counts_once_for_each_message_it_came_in(listener: Any, lines: Lines) -> None:
    value = call("sqs-of-sns")
    note = json.loads(value["Records"][0]["body"])
    for id in ("first", "second", "second"):
        reading = {"topic": "sensors/kitchen/temperature", "payload": 21}
        value["Records"][0]["body"] = json.dumps({**note, "Message": json.dumps(reading), "MessageId": id})
        listener(value)

    assert [entry["id"] for entry in lines()] == ["first", "second", "second"]


def test_a_scheduled_rule_is_told_which_input_is_wanted(listener: Any) -> None:
    rule = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}

    with pytest.raises(Rejected, match="use EventBridge Scheduler with input"):
        listener(rule)


def test_a_tick_whose_time_was_not_filled_in_is_refused(listener: Any) -> None:
    with pytest.raises(Rejected, match=r"'<aws.scheduler.scheduled-time>' is no ISO 8601 time"):
        listener({"schedule": "listener.tick", "time": "<aws.scheduler.scheduled-time>"})


@pytest.mark.parametrize(
    "nothing",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-05T12:00:00.000Z", "Bucket": "trail"},
        {
            "Records": [
                {"eventSource": "aws:sns", "EventSource": "aws:sns", "Sns": {"Message": '{"Event": "s3:TestEvent"}'}}
            ]
        },
    ],
)
def test_a_bucket_that_tries_whether_it_may_send_brings_nothing(nothing: Any, listener: Any) -> None:
    assert listener(nothing) == {"accepted": 0, "rejected": []}
