"""Sends files to a stage the way AWS brings it what is in them, so that one can try what was just deployed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botplatform import codec
from botplatform.deploy.functions import RESERVED
from botplatform.deploy.stage import Deployed, Stage, answered
from botplatform.errors import BotplatformError, Rejected
from botplatform.event import Event
from botplatform.hosts.records import recognized
from botplatform.plugins import Plugins
from botplatform.sending import Sent, content, decoded, post, said_now, signed_for_slack
from botplatform.source import Raw
from botplatform.sources.mqtt.source import read as read_message

_ACCEPTED = 202


class StageSender:
    """Knows the doors of a stage, and who would come through each."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sources = Plugins().sources
        self._doors = {
            "slack": self._slack,
            "alexa": self._alexa,
            "mqtt": self._mqtt,
            "cloudtrail": self._cloudtrail,
            "schedule": self._schedule,
        }

    def send(self, path: Path) -> Sent:
        """Send one file.

        Raises Rejected when it is no source's, and BotplatformError when the stage has nobody who listens to it.
        """
        raw = Raw(content(path))
        source = recognized(self._sources, raw).name
        return self._doors.get(source, self._cloudevents)(raw)

    def _slack(self, raw: Raw) -> Sent:
        stage = self._stage
        secret = stage.secret("SLACK_SIGNING_SECRET")
        if secret is None:
            raise BotplatformError(f"botplatform deploy secret SLACK_SIGNING_SECRET --stage {stage.name} comes first")
        url, host = _reached(stage.output("SlackUrl"), stage.settings.get("AWS_ENDPOINT_URL", ""))
        headers = {**signed_for_slack(raw.body, secret), **host}
        return post("slack", url, "/slack", raw.body, headers, f"is stage {stage.name} still there?")

    def _alexa(self, raw: Raw) -> Sent:
        """Amazon calls the function itself; who may call is AWS's to say, so the skill is the one it is for."""
        function = self._function("alexa")
        request = said_now(raw.body)
        application = {"applicationId": function.environment.get("ALEXA_SKILL_ID", "")}
        for part in (request.get("session"), request.get("context", {}).get("System")):
            if part:
                part["application"] = application
        with answered(function.full_name):
            done = self._stage.client("lambda").invoke(FunctionName=function.full_name, Payload=codec.encode(request))
        failed = "FunctionError" in done
        return Sent("alexa", 500 if failed else 200, decoded(done["Payload"].read()))

    def _mqtt(self, raw: Raw) -> Sent:
        message = read_message(codec.decode(raw.body))
        with answered(message.topic):
            self._stage.client("iot-data").publish(
                topic=message.topic, payload=message.payload, qos=min(message.qos, 1), retain=message.retain
            )
        return Sent("mqtt", 0, None)

    def _cloudtrail(self, raw: Raw) -> Sent:
        """As EventBridge would, which lets nobody else put in events of AWS: each record to each who listens."""
        listening = [function for function in self._own if "cloudtrail" in function.sources]
        calls = [_from_eventbridge(event.data) for event in self._events("cloudtrail", raw)]
        return self._invoke("cloudtrail", listening, calls)

    def _schedule(self, raw: Raw) -> Sent:
        tick = codec.decode(raw.body)
        plugin = tick["schedule"].partition(".")[0]
        listening = [function for function in self._own if "schedule" in function.sources and function.holds(plugin)]
        return self._invoke("schedule", listening, [tick])

    def _cloudevents(self, raw: Raw) -> Sent:
        """Through the bus where there is one, else through the queue."""
        events = self._events("cloudevents", raw)
        put = self._put_on_bus if "BusName" in self._stage.outputs else self._put_in_queue
        for event in events:
            with answered(event.id):
                put(event)
        return Sent("cloudevents", _ACCEPTED, {"accepted": len(events)})

    def _put_on_bus(self, event: Event) -> None:
        entry = {"Source": event.source, "DetailType": event.type, "Detail": event.to_json().decode()}
        bus = self._stage.outputs["BusName"]
        done = self._stage.client("events").put_events(Entries=[{**entry, "EventBusName": bus}])
        if done["FailedEntryCount"]:
            raise Rejected(f"the bus does not take it: {done['Entries'][0].get('ErrorMessage')}")

    def _put_in_queue(self, event: Event) -> None:
        url = self._stage.output("QueueUrl")
        self._stage.client("sqs").send_message(QueueUrl=url, MessageBody=event.to_json().decode())

    def _events(self, source: str, raw: Raw) -> list[Event]:
        """The events in a body; raises the first Rejected among them."""
        events = []
        for event in self._sources[source].normalize(raw):
            if isinstance(event, Rejected):
                raise event
            events.append(event)
        return events

    @property
    def _own(self) -> list[Deployed]:
        """The functions with the plugins' own triggers."""
        return [function for function in self._stage.functions if function.name not in RESERVED]

    def _function(self, name: str) -> Deployed:
        for function in self._stage.functions:
            if function.name == name:
                return function
        raise BotplatformError(f"stage {self._stage.name} has no function {name}: no plugin there listens to it")

    def _invoke(self, source: str, functions: list[Deployed], payloads: Sequence[Mapping[str, Any]]) -> Sent:
        """Call functions without waiting, as AWS's own services do."""
        if not functions:
            raise BotplatformError(f"nobody in stage {self._stage.name} listens to this ({source})")
        for payload in payloads:
            for function in functions:
                with answered(function.full_name):
                    self._stage.client("lambda").invoke(
                        FunctionName=function.full_name, InvocationType="Event", Payload=codec.encode(payload)
                    )
        return Sent(source, _ACCEPTED, {"accepted": len(payloads)})


def _from_eventbridge(record: Mapping[str, Any]) -> dict[str, Any]:
    """A CloudTrail record as EventBridge hands it on (User Guide, "AWS service events delivered via CloudTrail")."""
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, record["eventID"])),
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{record['eventSource'].partition('.')[0]}",
        "account": record.get("recipientAccountId", ""),
        "time": record.get("eventTime", ""),
        "region": record.get("awsRegion", ""),
        "resources": [],
        "detail": record,
    }


def _reached(url: str, endpoint: str) -> tuple[str, dict[str, str]]:
    """Where an HTTP API is; one on another AWS (`AWS_ENDPOINT_URL`) is told apart by the host's name alone."""
    parts = urlsplit(url)
    if not endpoint:
        return f"{parts.scheme}://{parts.netloc}", {}
    api = parts.netloc.partition(".")[0]
    return endpoint.rstrip("/"), {"host": f"{api}.execute-api.localhost:{urlsplit(endpoint).port}"}
