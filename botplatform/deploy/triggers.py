"""What calls the functions, derived from what their handlers listen to, each way with its own dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botplatform import codec
from botplatform.deploy.cloudformation import (
    DEAD_LETTERS,
    STAGED,
    Data,
    Resources,
    attribute,
    lambda_of,
    literal,
    logical,
    ref,
    resource,
    role,
    statement,
)
from botplatform.deploy.functions import NAME_LIMIT, Function
from botplatform.effect import CHAIN_PROPERTY
from botplatform.errors import PluginMistake
from botplatform.hosts.aws_lambda.calls import SWEEP
from botplatform.router import Handler
from botplatform.subscription import Subscription

SWEEP_EVERY = "rate(5 minutes)"
# EventBridge and Scheduler try again for so long (their own longest); a marker outlives it by far.
_RETRY = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
# EventBridge API Reference, PutRule: the length of an event pattern.
_PATTERN_LIMIT = 4096
# AWS IoT Core endpoints and quotas: bytes of a topic, slashes in it; IoT API Reference, TopicRulePayload: actions.
_TOPIC_BYTES = 256
_TOPIC_SLASHES = 7
_ACTIONS_PER_RULE = 10
_MESSAGE = (
    "encode(*, 'base64') AS payload_base64, topic() AS topic, newuuid() AS id, timestamp() AS timestamp, "
    f"get_user_properties('{CHAIN_PROPERTY}') AS chain"
)


def framework_events(function: Function) -> list[Data]:
    """The events that the Serverless Framework knows to set up with no more rights than they need."""
    if function.name == "slack":
        return [{"httpApi": "POST /slack"}]
    if function.name == "alexa":
        return [{"alexaSkill": {"appId": "${param:ALEXA_SKILL_ID}"}}]
    if function.name == "queue":
        queue = {"arn": attribute("Queue"), "batchSize": 10, "functionResponseType": "ReportBatchItemFailures"}
        return [{"sqs": queue}]
    return []


def resources(functions: Sequence[Function]) -> Resources:
    """All other triggers, with the permission of each to call just its function.

    Raises PluginMistake for what a handler listens to and AWS cannot express.
    """
    own = [function for function in functions if function.name != "queue"]
    rules = dict(_rules(own))
    schedules = dict(_schedules(own))
    topics = dict(_topics(own))
    found: Resources = {**rules, **topics, **schedules}
    if rules:
        found["DeadLettersPolicy"] = _policy([name for name in rules if rules[name]["Type"] == "AWS::Events::Rule"])
    if topics:
        found["TopicsRole"] = _topics_role()
    if schedules:
        found["Schedules"] = resource("Scheduler::ScheduleGroup", {"Name": STAGED})
        found["SchedulesRole"] = _schedules_role([f for f in own if f.name == "sweep" or "schedule" in f.sources])
    return found


def pattern(subscription: Subscription) -> Data:
    """What EventBridge is to let through for a subscription to CloudTrail or to the stage's own bus."""
    if subscription.source == "cloudevents":
        return {"detail": dict(subscription.pattern)}
    record = subscription.pattern.get("data")
    # Only AWS itself can put events of these sources on a bus: nobody in the account can make up a record. The kinds
    # are "AWS API Call", "AWS Console Sign In", "AWS Service Event", …
    by_aws = {"source": [{"prefix": "aws."}], "detail-type": [{"suffix": " via CloudTrail"}]}
    return {**by_aws, **({"detail": dict(record)} if record else {})}


def _rules(functions: Iterable[Function]) -> Iterator[tuple[str, Data]]:
    """An EventBridge rule for each pattern: what it does not match costs nothing."""
    for function in functions:
        patterns = [(h, s) for h, s in function.subscriptions if s.source in ("cloudtrail", "cloudevents")]
        for number, (handler, subscription) in enumerate(patterns, 1):
            name = f"{logical(function.name)}Rule{number}"
            yield name, _rule(function, handler, subscription)
            yield f"{name}Permission", _may_call(function, "events", attribute(name))


def _rule(function: Function, handler: Handler, subscription: Subscription) -> Data:
    wanted = pattern(subscription)
    if len(codec.encode(wanted)) > _PATTERN_LIMIT:
        raise PluginMistake(
            f"the pattern is longer than the {_PATTERN_LIMIT} characters that EventBridge takes",
            handler.file,
            subscription.line,
        )
    target = {
        "Id": function.name,
        "Arn": attribute(lambda_of(function)),
        "DeadLetterConfig": {"Arn": attribute(DEAD_LETTERS)},
        "RetryPolicy": _RETRY,
    }
    properties = {
        "Description": literal(f"{handler.name}: {subscription.source} {subscription.summary}")[:512],
        "EventPattern": _literals(wanted),
        "Targets": [target],
    }
    if subscription.source == "cloudevents":
        return resource("Events::Rule", {"EventBusName": ref("Bus"), **properties})
    # A rule that is just enabled never sees the calls that only read, and so not all that a handler sees at home.
    return resource("Events::Rule", {"State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", **properties})


def _literals(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {literal(name): _literals(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_literals(item) for item in value]
    return literal(value) if isinstance(value, str) else value


def _topics(functions: Iterable[Function]) -> Iterator[tuple[str, Data]]:
    """An IoT rule for each topic filter, with an action for each function that listens to it."""
    listening: dict[str, list[Function]] = {}
    for function in functions:
        for handler, subscription in function.subscriptions:
            if subscription.source == "mqtt":
                here = listening.setdefault(_filter(handler, subscription), [])
                here.extend([function] if function not in here else [])
    rules = [(topic, some) for topic in sorted(listening) for some in _batches(listening[topic])]
    for number, (topic, some) in enumerate(rules, 1):
        name = f"Topic{number}"
        yield name, _topic_rule(topic, some)
        for function in some:
            yield f"{name}{logical(function.name)}Permission", _may_call(function, "iot", attribute(name))


def _batches(functions: Sequence[Function]) -> Iterator[Sequence[Function]]:
    """As many as one rule can call at a time."""
    for start in range(0, len(functions), _ACTIONS_PER_RULE):
        yield functions[start : start + _ACTIONS_PER_RULE]


def _filter(handler: Handler, subscription: Subscription) -> str:
    """The topic filter; a group that shares a subscription is left out, for each message makes one call anyway."""
    assert subscription.topic
    topic = "/".join(subscription.topic.levels)
    size = len(topic.encode())
    slashes = topic.count("/") if not topic.startswith("$") else 0
    reason = ""
    if size > _TOPIC_BYTES or slashes > _TOPIC_SLASHES:
        reason = f"AWS IoT takes topics of {_TOPIC_BYTES} bytes and {_TOPIC_SLASHES} slashes at most"
    if "'" in topic:
        reason = "AWS IoT takes no ' in the topic of a rule"
    if topic.startswith("$") and not topic.startswith("$aws/"):
        reason = "AWS IoT knows no topics that begin with $ but its own, $aws/…"
    if reason:
        raise PluginMistake(reason, handler.file, subscription.line)
    return topic


def _topic_rule(topic: str, functions: Iterable[Function]) -> Data:
    dead_letters = {"QueueUrl": ref(DEAD_LETTERS), "RoleArn": attribute("TopicsRole"), "UseBase64": False}
    payload = {
        "Description": literal(f"What is published to {topic}")[:256],
        "AwsIotSqlVersion": "2016-03-23",
        "Sql": f"SELECT {_MESSAGE}, '{literal(topic)}' AS filter FROM '{literal(topic)}'",
        "Actions": [{"Lambda": {"FunctionArn": attribute(lambda_of(function))}} for function in functions],
        "ErrorAction": {"Sqs": dead_letters},
    }
    return resource("IoT::TopicRule", {"TopicRulePayload": payload})


def _schedules(functions: Iterable[Function]) -> Iterator[tuple[str, Data]]:
    """An EventBridge schedule for each schedule of a handler, and one for the sweep."""
    for function in functions:
        ticking = [(h, s) for h, s in function.subscriptions if s.source == "schedule"]
        for number, (handler, subscription) in enumerate(ticking, 1):
            yield f"{logical(function.name)}Schedule{number}", _schedule_of(function, handler, subscription)
        if function.name == "sweep":
            yield "SweepSchedule", _schedule(function, "sweep", SWEEP_EVERY, "UTC", SWEEP)


def _schedule_of(function: Function, handler: Handler, subscription: Subscription) -> Data:
    name, times = subscription.options["name"], subscription.options["schedule"]
    if len(name) > NAME_LIMIT:
        reason = f"the name {name} is too long for a schedule on AWS: {NAME_LIMIT} characters at most"
        raise PluginMistake(reason, handler.file, subscription.line)
    tick = {"schedule": name, "time": "<aws.scheduler.scheduled-time>"}
    return _schedule(function, name, times.text, times.timezone, tick)


def _schedule(function: Function, name: str, expression: str, timezone: str, call: Data) -> Data:
    target = {
        "Arn": attribute(lambda_of(function)),
        "RoleArn": attribute("SchedulesRole"),
        "Input": codec.encode(call).decode(),
        "DeadLetterConfig": {"Arn": attribute(DEAD_LETTERS)},
        "RetryPolicy": _RETRY,
    }
    properties = {
        "Name": name,
        "GroupName": ref("Schedules"),
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": timezone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    return resource("Scheduler::Schedule", properties)


def _may_call(function: Function, service: str, source: Data) -> Data:
    properties = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": attribute(lambda_of(function)),
        "Principal": f"{service}.amazonaws.com",
        "SourceArn": source,
    }
    return resource("Lambda::Permission", properties)


def _policy(rules: Sequence[str]) -> Data:
    """EventBridge itself puts what it could not deliver into the dead letters: for our rules only."""
    allowed = statement(["sqs:SendMessage"], [f"${{{DEAD_LETTERS}.Arn}}"])
    condition = {"ArnEquals": {"aws:SourceArn": [attribute(name) for name in rules]}}
    allowed = {**allowed, "Principal": {"Service": "events.amazonaws.com"}, "Condition": condition}
    document = {"Version": "2012-10-17", "Statement": [allowed]}
    return resource("SQS::QueuePolicy", {"Queues": [ref(DEAD_LETTERS)], "PolicyDocument": document})


def _topics_role() -> Data:
    keep = statement(["sqs:SendMessage"], [f"${{{DEAD_LETTERS}.Arn}}"])
    rules = "arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:rule/*"
    return role("iot", [keep], "Keeps messages as dead letters that no function could be called for.", rules)


def _schedules_role(functions: Iterable[Function]) -> Data:
    keep = statement(["sqs:SendMessage"], [f"${{{DEAD_LETTERS}.Arn}}"])
    call = statement(["lambda:InvokeFunction"], [f"${{{lambda_of(function)}.Arn}}" for function in functions])
    return role("scheduler", [call, keep], "Calls the functions that run by the clock.", "${Schedules.Arn}")
