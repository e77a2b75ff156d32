"""What only AWS brings: its queue, and its own clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.aws.aws_stage import AwsStage
from tests.mosquitto import eventually

ROOT_SIGN_IN = {
    "eventVersion": "1.08",
    "eventID": "root-through-eventbridge",
    "eventTime": "2026-01-05T12:00:00Z",
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "eventType": "AwsConsoleSignIn",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "198.51.100.7",
    "userIdentity": {"type": "Root", "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:root"},
    "recipientAccountId": "111122223333",
}


def test_what_a_queue_brings_twice_is_handled_once_by_every_plugin_that_listens(aws_stage: AwsStage) -> None:
    message = {"topic": "meters/attic/report", "payload": {"report": 3, "kwh": 12}, "id": "from-queue"}
    for _ in range(2):
        aws_stage.enqueue(json.dumps(message))
        aws_stage.settle()
    aws_stage.enqueue(json.dumps({"topic": "sensors/attic/temperature", "payload": {"celsius": 35}, "id": "hot"}))
    aws_stage.settle()
    assert aws_stage.state("meter_total") == {"attic": 12}
    assert aws_stage.state("room_temperature") == {"attic": 35}
    assert aws_stage.texts() == ["It is 35 °C in the attic!"]


@pytest.mark.parametrize("poison", ["no JSON at all", '{"nobody": "knows this"}'])
def test_a_message_that_is_no_event_is_a_dead_letter_and_holds_nothing_up(aws_stage: AwsStage, poison: str) -> None:
    aws_stage.enqueue(poison)
    aws_stage.enqueue(json.dumps({"topic": "sensors/hall/temperature", "payload": {"celsius": 18}, "id": "behind"}))
    eventually(aws_stage.dead_letters, 60)
    eventually(lambda: aws_stage.state("room_temperature"), 60)
    [(handler, reason)] = aws_stage.dead_letters()
    assert (handler, bool(reason)) == ("", True)
    assert aws_stage.state("room_temperature") == {"hall": 18}


def test_eventbridge_itself_delivers_what_a_cloudtrail_rule_lets_through(aws_stage: AwsStage) -> None:
    events, by_us = aws_stage.client("events"), "com.example.trail"
    [rule] = [rule for rule in events.list_rules()["Rules"] if "CloudTrail" in rule.get("EventPattern", "")]
    ours = {**json.loads(rule["EventPattern"]), "source": [by_us]}
    # Nobody but AWS may send events of `aws.*`, so the rule hears of ours for this once; and the emulator's EventBridge
    # knows only the plain kind of enabled rules.
    events.put_rule(Name=rule["Name"], EventPattern=json.dumps(ours), State="ENABLED")
    try:
        for detail in (ROOT_SIGN_IN, {**ROOT_SIGN_IN, "userIdentity": {"type": "IAMUser"}, "eventID": "by-another"}):
            entry = {"Source": by_us, "DetailType": "AWS Console Sign In via CloudTrail", "Detail": json.dumps(detail)}
            assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
        eventually(aws_stage.texts, 60)
    finally:
        events.put_rule(Name=rule["Name"], EventPattern=rule["EventPattern"], State=rule["State"])
    assert aws_stage.texts() == ["Root of AWS account 111122223333 signed in from 198.51.100.7."]


def test_eventbridge_scheduler_itself_runs_what_a_schedule_runs(aws_stage: AwsStage) -> None:
    target = aws_stage.account.schedules["morning_digest.post"]
    now = datetime.now(UTC)
    tick = json.dumps({"schedule": "morning_digest.post", "time": now.strftime("%Y-%m-%dT%H:%M:%SZ")})
    aws_stage.client("scheduler").create_schedule(
        Name="once",
        ScheduleExpression=f"at({now + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={"Arn": target["Arn"], "RoleArn": target["RoleArn"], "Input": tick},
    )
    eventually(aws_stage.slack_messages, 60)
    assert aws_stage.slack_messages() == [("#home", "Good morning! No readings since yesterday.")]


def test_the_deployed_schedule_asks_for_the_time_it_was_due(aws_stage: AwsStage) -> None:
    wanted = {"schedule": "morning_digest.post", "time": "<aws.scheduler.scheduled-time>"}
    assert json.loads(aws_stage.account.schedules["morning_digest.post"]["Input"]) == wanted
