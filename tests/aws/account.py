"""What an AWS account holds of a stage, asked over AWS's own interfaces: who listens to what, and the logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from paho.mqtt.client import topic_matches_sub


class Account:
    """Looks around in an account; `client(service)` makes the clients it looks with."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    @cached_property
    def schedules(self) -> dict[str, Mapping[str, Any]]:
        """The target of each schedule, by the name its ticks have."""
        scheduler = self._client("scheduler")
        listed = [(each["Name"], each["GroupName"]) for each in scheduler.list_schedules()["Schedules"]]
        targets = [scheduler.get_schedule(Name=name, GroupName=group)["Target"] for name, group in listed]
        return {json.loads(target["Input"]).get("schedule", "sweep"): target for target in targets}

    def listening(self, topic: str) -> Iterator[str]:
        """The functions that IoT Core invokes for a message on a topic."""
        for listed in self._client("iot").list_topic_rules()["rules"]:
            rule = self._client("iot").get_topic_rule(ruleName=listed["ruleName"])["rule"]
            if topic_matches_sub(rule["sql"].rpartition("FROM '")[2].rstrip("'"), topic):
                yield from (action["lambda"]["functionArn"] for action in rule["actions"])

    def targets(self, event: Mapping[str, Any], bus: str) -> Iterator[str]:
        """The functions that EventBridge invokes for an event on a bus."""
        events = self._client("events")
        about = {"account": "000000000000", "time": "2026-01-05T12:00:00Z", "region": "us-east-1", "resources": []}
        for rule in events.list_rules(EventBusName=bus)["Rules"]:
            asked = {"EventPattern": rule["EventPattern"], "Event": json.dumps({**about, **event})}
            if events.test_event_pattern(**asked)["Result"]:
                targets = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]
                yield from (target["Arn"] for target in targets)

    def entries(self, functions: Sequence[str], since: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """What each function logged of its events since a Unix time, as (name of the function, entry)."""
        for function in functions:
            for line in self._lines(f"/aws/lambda/{function}", int(since * 1000)):
                if line.startswith('{"botplatform"') and (entry := json.loads(line))["received"] >= since:
                    yield name_of(function), entry

    def _lines(self, group: str, since: int) -> Iterator[str]:
        pages = self._client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, startTime=since):
            yield from (line["message"] for line in page["events"])


def name_of(function: str) -> str:
    """A function's name in the template, from its name or ARN on AWS."""
    return function.rpartition(":")[2].split("-", 2)[2]
