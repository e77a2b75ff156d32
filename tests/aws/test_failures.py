"""Failures on AWS: what is retried, by whom, and where it ends."""

from __future__ import annotations

import json

from tests.aws.aws_stage import AwsStage
from tests.mosquitto import eventually


def test_deliveries_at_the_same_time_count_once(aws_stage: AwsStage) -> None:
    for _ in range(8):
        aws_stage.mqtt("meters/attic/report", {"report": 7, "kwh": 5}, id="the same")
    aws_stage.settle()
    assert aws_stage.state("meter_total") == {"attic": 5}
    assert aws_stage.dead_letters() == []


def test_what_keeps_failing_is_retried_by_lambda_and_ends_as_a_dead_letter(aws_stage: AwsStage) -> None:
    aws_stage.mqtt("unlucky/13", {}, id="thirteen")
    eventually(aws_stage.dead_letters, 60)
    [(function, reason)] = aws_stage.dead_letters()
    assert function == "unlucky"
    assert "the other side of 13 is away" in reason
    tries = [entry for entry in aws_stage.log() if entry["subject"] == "unlucky/13"]
    assert [handler["status"] for entry in tries for handler in entry["handlers"]] == ["waiting"]


def test_an_effect_whose_destination_was_away_is_performed_by_the_sweep_once(aws_stage: AwsStage) -> None:
    aws_stage.fake_slack.is_away = True
    try:
        aws_stage.tick("morning_digest.post", "2026-01-05T06:00:00Z")
        aws_stage.settle()
    finally:
        aws_stage.fake_slack.is_away = False
    assert aws_stage.slack_messages() == []
    aws_stage.make_due()
    for _ in range(2):
        sweep(aws_stage)
    assert aws_stage.slack_messages() == [("#home", "Good morning! No readings since yesterday.")]


def sweep(stage: AwsStage) -> None:
    """Do what the schedule of the sweep does."""
    target = stage.account.schedules["sweep"]
    answer = stage.client("lambda").invoke(FunctionName=target["Arn"], Payload=target["Input"])
    assert "FunctionError" not in answer, json.load(answer["Payload"])
