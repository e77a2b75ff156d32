"""The command line against a stage."""

from __future__ import annotations

import json

from tests.aws.aws_stage import AwsStage
from tests.aws.emulator import ROOT
from tests.mosquitto import eventually


def test_what_is_deployed_is_not_deployed_again(aws_stage: AwsStage) -> None:
    assert aws_stage.deployment.deploy_dry() == []


def test_events_of_a_stage_shows_what_came_of_each(aws_stage: AwsStage) -> None:
    aws_stage.mqtt("sensors/attic/temperature", {"celsius": 34.2}, id="shown")
    aws_stage.settle()
    shown = [json.loads(line) for line in aws_stage.deployment.on_stage("events", "--json", "-n", "100").splitlines()]
    handlers = [handler for entry in shown if entry.get("id") == "shown" for handler in entry["handlers"]]
    assert {handler["handler"] for handler in handlers} == {
        "morning_digest.collect",
        "room_temperature.remember",
        "too_hot.warn",
    }
    [text] = [effect for handler in handlers for effect in handler["effects"]]
    assert (text["name"], text["status"]) == ("text", "performed")


def test_logs_of_a_stage_shows_what_its_functions_say(aws_stage: AwsStage) -> None:
    aws_stage.mqtt("unlucky/14", {})
    eventually(lambda: "the other side of 14 is away" in aws_stage.deployment.on_stage("logs", "-n", "200"), 60)


def test_send_takes_a_sample_through_the_doors_of_a_stage(aws_stage: AwsStage) -> None:
    for sample in ("mqtt/kitchen-temperature.json", "slack/temp-kitchen.form"):
        said = aws_stage.deployment.on_stage("send", str(ROOT / "events" / sample))
        eventually(lambda: aws_stage.state("room_temperature"), 60)
    assert "It is 21.5 °C in the kitchen." in said
