"""`send`, `events` and `logs` against a stage: what goes over the wire, and what is shown of what came back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from moto.iotdata.models import iotdata_backends

from botplatform.sources.slack import signature
from tests.cli.conftest import Run
from tests.deploy.cloud import Cloud, Function, Stack
from tests.hosts.local.process import PYTHON

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
SKILL = "amzn1.ask.skill.ours"
SPOKEN = {"version": "1.0", "response": {"outputSpeech": {"type": "PlainText", "text": "Hello."}}}
_stages = map("s{}".format, count())


class Stage:
    """A stage with a function of each kind; its `queue` and `bus` are there when a test makes them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.name = next(_stages)
        functions = {
            "slack": {"BOTPLATFORM_SOURCES": "slack"},
            "alexa": {"BOTPLATFORM_SOURCES": "alexa", "ALEXA_SKILL_ID": SKILL},
            "queue": {"BOTPLATFORM_SOURCES": "mqtt,cloudtrail", "BOTPLATFORM_LOAD": "root_sign_in,too_hot"},
            "root_sign_in": {"BOTPLATFORM_SOURCES": "cloudtrail", "BOTPLATFORM_LOAD": "root_sign_in"},
            "morning_digest": {"BOTPLATFORM_SOURCES": "mqtt,schedule", "BOTPLATFORM_LOAD": "morning_digest"},
        }
        self.stack = Stack(
            outputs={"SlackUrl": "https://abc123.execute-api.eu-central-1.amazonaws.com/slack"},
            functions={f"botplatform-{self.name}-{name}": Function(env) for name, env in functions.items()},
        )
        self.stack.functions[f"botplatform-{self.name}-alexa"].answer = SPOKEN
        cloud.stacks[f"botplatform-{self.name}"] = self.stack

    @property
    def options(self) -> list[str]:
        return ["--stage", self.name]

    @property
    def called(self) -> list[tuple[str, Any]]:
        """The functions that were called, and with what."""
        calls = [(path.split("/")[-2], body) for path, body, _ in self.cloud.asked if path.endswith("/invocations")]
        return [(name.removeprefix(f"botplatform-{self.name}-"), json.loads(body)) for name, body in calls]

    def wrote(self, function: str, *lines: str, ago: float = 0) -> None:
        self.cloud.write(f"botplatform-{self.name}-{function}", list(lines), time.time() - ago)


@pytest.fixture
def stage(cloud: Cloud) -> Stage:
    iotdata_backends["123456789012"]["eu-central-1"].published_payloads.clear()
    return Stage(cloud)


def entry(kind: str, **about: Any) -> str:
    """A line of the log of events as a function writes it."""
    known = {"botplatform": 1, "received": 1_767_610_000.0, "verdict": "accepted", "reason": "", "source": "/tests"}
    return json.dumps({**known, "id": "1", "type": kind, "subject": None, "handlers": [], **about})


PENDING = {"name": "text", "status": "pending", "result": {"reason": "throttled"}}
DONE = {
    "handler": "meter.note",
    "status": "done",
    "again": False,
    "took": 0.0012,
    "reply": {"text": "noted"},
    "suppressed": [],
    "effects": [PENDING],
}


# send


def test_a_slack_request_goes_to_the_stages_url_signed_with_its_secret(cli: Run, cloud: Cloud, stage: Stage) -> None:
    cli("deploy", "secret", "SLACK_SIGNING_SECRET", *stage.options, stdin=b"s3cret\n", **cloud.settings)
    result = cli("send", *stage.options, EVENTS / "slack/help.form", **cloud.settings)
    assert (result.exit_code, result.output) == (0, f"{EVENTS / 'slack/help.form'}: slack 200 hello\n")
    [(path, body, headers)] = cloud.asked
    sent = {name.lower(): value for name, value in headers.items()}
    assert (path, sent["host"].partition(".")[0]) == ("/slack", "abc123")
    signature.verify("s3cret", sent, body, datetime.now(UTC))


def test_without_the_secret_it_says_how_to_keep_it(cli: Run, cloud: Cloud, stage: Stage) -> None:
    result = cli("send", *stage.options, EVENTS / "slack/help.form", **cloud.settings)
    wanted = f"botplatform deploy secret SLACK_SIGNING_SECRET --stage {stage.name} comes first"
    assert (result.exit_code, wanted in result.stderr) == (1, True)


def test_an_alexa_request_is_said_now_to_the_skill_of_the_stage(cli: Run, cloud: Cloud, stage: Stage) -> None:
    result = cli("send", *stage.options, EVENTS / "alexa/launch.json", **cloud.settings)
    assert (result.exit_code, result.output.endswith("alexa 200 Hello.\n")) == (0, True)
    [(function, request)] = stage.called
    said = datetime.fromisoformat(request["request"]["timestamp"])
    assert (function, (datetime.now(UTC) - said).total_seconds() < 60) == ("alexa", True)
    assert request["session"]["application"] == request["context"]["System"]["application"] == {"applicationId": SKILL}


def test_a_message_is_published_to_iot_core(cli: Run, cloud: Cloud, stage: Stage) -> None:
    result = cli("send", *stage.options, EVENTS / "mqtt/kitchen-temperature.json", **cloud.settings)
    assert (result.exit_code, result.output.endswith("mqtt published\n")) == (0, True)
    [(topic, payload)] = iotdata_backends["123456789012"]["eu-central-1"].published_payloads
    assert (topic, json.loads(payload)) == ("sensors/kitchen/temperature", {"celsius": 21.5})


def test_cloudtrail_records_come_to_who_listens_as_eventbridge_brings_them(
    cli: Run, cloud: Cloud, stage: Stage
) -> None:
    result = cli("send", *stage.options, EVENTS / "cloudtrail/an-ordinary-hour.json.gz", **cloud.settings)
    assert (result.exit_code, result.output.endswith("cloudtrail 202 3 events accepted\n")) == (0, True)
    assert [function for function, _ in stage.called] == ["root_sign_in"] * 3
    first = stage.called[0][1]
    assert (first["detail-type"], first["source"]) == ("AWS API Call via CloudTrail", "aws.s3")
    assert (first["detail"]["eventName"], first["region"]) == ("ListBuckets", "us-east-1")


def test_a_tick_goes_to_the_plugin_whose_schedule_it_is(cli: Run, cloud: Cloud, stage: Stage) -> None:
    result = cli("send", *stage.options, EVENTS / "schedule/morning-digest.json", **cloud.settings)
    tick = {"schedule": "morning_digest.post", "time": "2026-01-05T06:00:00Z"}
    assert (result.exit_code, stage.called) == (0, [("morning_digest", tick)])


def test_what_nobody_listens_to_is_said(cli: Run, cloud: Cloud, stage: Stage) -> None:
    result = cli("send", *stage.options, EVENTS / "schedule/nobody-listens.json", **cloud.settings)
    assert (result.exit_code, f"nobody in stage {stage.name} listens to this (schedule)" in result.stderr) == (1, True)


def test_events_go_through_the_bus(cli: Run, cloud: Cloud, stage: Stage) -> None:
    cloud.client("events").create_event_bus(Name=f"botplatform-{stage.name}")
    stage.stack.outputs["BusName"] = f"botplatform-{stage.name}"
    result = cli("send", *stage.options, EVENTS / "cloudevents/batch.json", **cloud.settings)
    assert (result.exit_code, result.output.endswith("cloudevents 202 2 events accepted\n")) == (0, True)


def test_events_go_through_the_queue_where_there_is_no_bus(cli: Run, cloud: Cloud, stage: Stage) -> None:
    sqs = cloud.client("sqs")
    stage.stack.outputs["QueueUrl"] = url = sqs.create_queue(QueueName=f"botplatform-{stage.name}-events")["QueueUrl"]
    assert cli("send", *stage.options, EVENTS / "cloudevents/order-created.json", **cloud.settings).exit_code == 0
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["id"] == "order-1001-created"


@pytest.mark.parametrize("command", [["send", str(EVENTS / "mqtt/attic-too-hot.json")], ["events"], ["logs"]])
def test_a_stage_that_is_not_there_is_said(cli: Run, cloud: Cloud, command: list[str]) -> None:
    result = cli(*command, "--stage", "nowhere", **cloud.settings)
    there = "there is no stage nowhere in eu-central-1: `botplatform deploy --stage nowhere` makes it"
    assert (result.exit_code, there in result.stderr) == (1, True)


def test_what_aws_refuses_is_said(cli: Run, cloud: Cloud, stage: Stage) -> None:
    cloud.refuses.add("ssm")
    result = cli("send", *stage.options, EVENTS / "slack/help.form", **cloud.settings)
    said = f"/botplatform/{stage.name}/SLACK_SIGNING_SECRET: AWS says AccessDeniedException: not for you"
    assert (result.exit_code, said in result.stderr) == (1, True)


# events and logs


def test_the_events_of_all_functions_are_shown_as_one_log(cli: Run, cloud: Cloud, stage: Stage) -> None:
    stage.wrote("slack", "START RequestId: 1", entry("com.slack.command", handlers=[DONE]), "END RequestId: 1", ago=60)
    stage.wrote("root_sign_in", entry("com.amazonaws.second", verdict="unmatched", reason="no handler"), ago=30)
    stage.wrote("slack", '{"botplatform": 1, "cut of', ago=20)
    result = cli("events", *stage.options, **cloud.settings)
    first, second = result.output.splitlines()
    assert "com.slack.command" in first
    assert first.endswith("meter.note in 1.2 ms, said 'noted', text pending (throttled)")
    assert second.endswith("unmatched: no handler")


def test_the_latest_events_are_json_however_long_ago_they_were(cli: Run, cloud: Cloud, stage: Stage) -> None:
    stage.wrote("slack", entry("old"), "END RequestId: 1", ago=3 * 86_400)
    stage.wrote("alexa", entry("older"), ago=4 * 86_400)
    result = cli("events", *stage.options, "-n", "1", "--json", **cloud.settings)
    assert [json.loads(line)["type"] for line in result.output.splitlines()] == ["old"]


def test_all_that_functions_write_is_shown_with_their_names(cli: Run, cloud: Cloud, stage: Stage) -> None:
    stage.wrote("slack", "START RequestId: 1", "a warning", ago=60)
    stage.wrote("alexa", entry("said", verdict="unmatched", reason="no handler"), ago=30)
    lines = cli("logs", *stage.options, "-n", "2", **cloud.settings).output.splitlines()
    assert [line.split(" ", 1)[1].split() for line in lines] == [
        ["slack", "a", "warning"],
        ["alexa", "said", "unmatched:", "no", "handler"],
    ]


def test_nothing_written_yet_is_nothing_shown(cli: Run, cloud: Cloud, stage: Stage) -> None:
    assert cli("logs", *stage.options, **cloud.settings).output == ""


def test_new_events_are_followed_until_ctrl_c(cloud: Cloud, stage: Stage) -> None:
    stage.wrote("slack", entry("before"), ago=5)
    command = [*PYTHON, "events", *stage.options, "--follow", "--json"]
    following = subprocess.Popen(command, env={**os.environ, **cloud.settings}, stdout=subprocess.PIPE, text=True)
    assert following.stdout
    with following.stdout as shown, ThreadPoolExecutor() as others:
        assert json.loads(shown.readline())["type"] == "before"
        stage.wrote("alexa", entry("after"))
        assert json.loads(others.submit(shown.readline).result(60))["type"] == "after"
        following.send_signal(signal.SIGINT)
        assert following.wait(timeout=60) == 0
