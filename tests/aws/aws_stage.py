"""The stage on AWS: functions, rules, queues and a table, deployed to the emulator."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botplatform.sources.slack import signature
from tests.aws.account import Account, name_of
from tests.aws.deployment import Deployment
from tests.aws.emulator import Emulator
from tests.conformance.local import FOLDERS
from tests.conformance.outside import Devices
from tests.conformance.stage import OWNER, SKILL, Answer, payload_of
from tests.hosts.local.fake_slack import FakeSlack
from tests.mosquitto import HOST, eventually

_KINDS = {
    "AwsConsoleSignIn": "AWS Console Sign In via CloudTrail",
    "AwsServiceEvent": "AWS Service Event via CloudTrail",
}
_SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"


@contextmanager
def deployed(folder: Path, emulator: Emulator) -> Iterator[AwsStage]:
    """A stage deployed from a project folder."""
    slack = FakeSlack()
    settings = {"BOTPLATFORM_RECIPIENTS": f"owner={OWNER}", "ALEXA_SKILL_ID": SKILL}
    deployment = Deployment(folder, emulator, "conformance", FOLDERS, {**settings, **slack.settings})
    deployment.deploy({name: slack.settings[name] for name in ("SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN")})
    stage = AwsStage(emulator, deployment, slack)
    try:
        yield stage
    finally:
        stage.close()
        slack.close()


class AwsStage:
    """A `Stage` on AWS; `due` counts the invocations of each function that have to be in its log."""

    def __init__(self, emulator: Emulator, deployment: Deployment, slack: FakeSlack) -> None:
        self.slack_url = slack.url
        self.fake_slack = slack
        self.client = emulator.client
        self.deployment = deployment
        self.account = Account(emulator.client)
        self._emulator = emulator
        self._outputs = deployment.stage.outputs
        self._functions = [function.full_name for function in deployment.stage.functions]
        self._secret = slack.settings["SLACK_SIGNING_SECRET"]
        self._devices = Devices(emulator.port, f"data-ats.iot.us-east-1.localhost:{emulator.port}")
        self._buried: list[tuple[str, str]] = []
        self.clear()

    def clear(self) -> None:
        """Forget everything there was: state, markers, messages, log."""
        table = self._outputs["TableName"]
        for item in self.client("dynamodb").scan(TableName=table)["Items"]:
            self.client("dynamodb").delete_item(TableName=table, Key={key: item[key] for key in ("pk", "sk")})
        self.dead_letters()
        self._buried.clear()
        self.fake_slack.forget()
        self._devices.forget()
        self._texts = len(self._emulator.texts())
        self._due: Counter[str] = Counter()
        self._began = time.time()

    def close(self) -> None:
        """Let go of the emulator."""
        self._devices.close()

    # What happens outside.

    def slack(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Send what Slack sends through the HTTP API."""
        signed = signature.sign(self._secret, body, datetime.now(UTC)) if headers is None else headers
        api = urlsplit(self._outputs["SlackUrl"])
        host = f"{(api.hostname or '').split('.')[0]}.execute-api.localhost:{self._emulator.port}"
        connection = http.client.HTTPConnection(HOST, self._emulator.port, timeout=60)
        try:
            connection.request("POST", api.path, body, {**signed, "Host": host, "Content-Type": _media_type(body)})
            response = connection.getresponse()
            content = response.read()
            answer = Answer(response.status, json.loads(content) if content else None)
            self._due["slack"] += answer.of_an_event
            return answer
        finally:
            connection.close()

    def alexa(self, body: bytes) -> Answer:
        """Invoke the function as Alexa does."""
        answer = self.client("lambda").invoke(FunctionName=self._outputs["AlexaArn"], Payload=body)
        content = json.load(answer["Payload"])
        if "FunctionError" in answer:
            return Answer(400, {"error": content["errorMessage"]})
        self._due["alexa"] += 1
        return Answer(200, content)

    def mqtt(self, topic: str, payload: Any, id: str | None = None) -> None:
        """Publish at IoT Core; with an id, invoke what its rules invoke, as a retry of theirs does."""
        content, functions = payload_of(payload), list(self.account.listening(topic))
        if id is None:
            self._due.update(map(name_of, functions))
            self.client("iot-data").publish(topic=topic, qos=1, payload=content)
        else:
            message = {"payload_base64": base64.b64encode(content).decode(), "topic": topic, "id": id}
            self._invoke(functions, {**message, "timestamp": int(time.time() * 1000)})

    def cloudtrail(self, record: Mapping[str, Any]) -> None:
        """Invoke what EventBridge would: AWS alone may send events of `aws.*`, and the emulator is as strict."""
        event = {
            "version": "0",
            "id": record["eventID"],
            "detail-type": _KINDS.get(record["eventType"], "AWS API Call via CloudTrail"),
            "source": f"aws.{record['eventSource'].split('.')[0]}",
            "account": record.get("recipientAccountId", "111122223333"),
            "time": record["eventTime"],
            "region": record["awsRegion"],
            "resources": [],
            "detail": record,
        }
        self._invoke(self.account.targets(event, "default"), event)

    def tick(self, schedule: str, time: str) -> None:
        """Invoke what the schedule invokes, with its time written in, which is AWS's to do."""
        if target := self.account.schedules.get(schedule):
            self._invoke([target["Arn"]], json.loads(target["Input"].replace(_SCHEDULED_TIME, time)))

    def cloudevent(self, envelope: Mapping[str, Any]) -> None:
        """Put it on the stage's bus."""
        bus, detail = self._outputs["BusName"], json.dumps(envelope)
        entry = {"EventBusName": bus, "Source": envelope["source"], "DetailType": envelope["type"], "Detail": detail}
        event = {"id": "1", "source": entry["Source"], "detail-type": entry["DetailType"], "detail": envelope}
        self._due.update(map(name_of, self.account.targets(event, bus)))
        assert self.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def enqueue(self, body: str) -> None:
        """Put a message in the stage's queue."""
        self._due["queue"] += 1
        self.client("sqs").send_message(QueueUrl=self._outputs["QueueUrl"], MessageBody=body)

    def make_due(self) -> None:
        """Let the time come at which what is pending is tried again."""
        table, now = self._outputs["TableName"], {":now": {"N": "0"}}
        for item in self.client("dynamodb").scan(TableName=table, IndexName="pending")["Items"]:
            self.client("dynamodb").update_item(
                TableName=table,
                Key={key: item[key] for key in ("pk", "sk")},
                UpdateExpression="SET due = :now",
                ExpressionAttributeValues=now,
            )

    # What came of it.

    def settle(self) -> None:
        """Wait until each function has logged what it was invoked with; it does so last of all."""
        eventually(lambda: not self._due - Counter(name for name, _ in self._entries()), 60)

    def texts(self) -> list[str]:
        """What SNS sent."""
        return [text["Message"] for text in self._emulator.texts()[self._texts :]]

    def slack_messages(self) -> list[tuple[str, str]]:
        """What the fake of Slack took."""
        return self.fake_slack.messages()

    def published(self) -> list[tuple[str, str]]:
        """What devices heard."""
        return self._devices.heard()

    def state(self, plugin: str) -> dict[str, Any]:
        """What is in the table."""
        found = self.client("dynamodb").query(
            TableName=self._outputs["TableName"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"state#{plugin}"}},
        )
        return {item["sk"]["S"]: json.loads(item["json"]["S"]) for item in found["Items"]}

    def dead_letters(self) -> list[tuple[str, str]]:
        """What is in the dead-letter queue."""
        sqs, queue = self.client("sqs"), self._outputs["DeadLettersUrl"]
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._buried.append(_letter(json.loads(message["Body"])))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return list(self._buried)

    def log(self) -> list[dict[str, Any]]:
        """The entries of all functions, those of one event made into one."""
        merged: dict[Any, dict[str, Any]] = {}
        for _, entry in sorted(self._entries(), key=lambda logged: logged[1]["received"]):
            whole = merged.setdefault((entry["source"], entry.get("id", len(merged))), {**entry, "handlers": {}})
            for handler in entry.get("handlers", ()):
                whole["handlers"].setdefault(handler["handler"], handler)
        return [
            {**entry, "handlers": [done for _, done in sorted(entry["handlers"].items())]} for entry in merged.values()
        ]

    def hears(self, source: str) -> bool:
        """Slack and Alexa send everything; of the others AWS passes on only what a rule asks for."""
        return source in ("slack", "alexa")

    def _entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        return self.account.entries(self._functions, self._began)

    def _invoke(self, functions: Iterable[str], event: Mapping[str, Any]) -> None:
        for function in functions:
            self._due[name_of(function)] += 1
            self.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))


def _letter(body: Mapping[str, Any]) -> tuple[str, str]:
    """What a dead letter is about and why: one of ours, or one of Lambda's after the last of its retries."""
    if "responsePayload" in body:
        return name_of(body["requestContext"]["functionArn"]), body["responsePayload"]["errorMessage"]
    return body.get("handler", ""), body["reason"]


def _media_type(body: bytes) -> str:
    return "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded"
