"""What the functions of a stage share: its table, bus, queues and alarms, and a role for each function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from botplatform.deploy.cloudformation import (
    DEAD_LETTERS,
    STAGED,
    Data,
    Resources,
    attribute,
    lambda_of,
    logical,
    ref,
    resource,
    role,
    role_of,
    sub,
)
from botplatform.deploy.functions import Function
from botplatform.deploy.limits import receives
from botplatform.deploy.permissions import statements

# SQS quotas: the longest a message is kept.
_TWO_WEEKS = 14 * 86_400
# Milliseconds. Slack waits 3 s and is answered after 2.5, Alexa waits 8 s and is answered after 7.
_SLOW = {"slack": 2000, "alexa": 5500}


def resources(functions: Sequence[Function]) -> Resources:
    """The resources besides the functions and what calls them."""
    found: Resources = {role_of(function): _role(function) for function in functions}
    if any(function.keeps for function in functions):
        found["Table"] = _table()
    if _has_bus(functions):
        found["Bus"] = resource("Events::EventBus", {"Name": STAGED})
    found[DEAD_LETTERS] = _queue("dead-letters", {"MessageRetentionPeriod": _TWO_WEEKS})
    for function in functions:
        if function.name == "queue":
            found["Queue"] = _events_queue(function)
    return {**found, **_alarms(functions)}


def outputs(functions: Sequence[Function]) -> Resources:
    """What people and tools want to know of a stage."""
    names = {function.name for function in functions}
    found: Resources = {"DeadLettersUrl": _output("Queue of what could not be handled", ref(DEAD_LETTERS))}
    if "slack" in names:
        url = sub("https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/slack")
        found["SlackUrl"] = _output("Request URL for the Slack app", url)
    if "alexa" in names:
        found["AlexaArn"] = _output("Endpoint of the Alexa skill", attribute("AlexaLambdaFunction"))
    if "queue" in names:
        found["QueueUrl"] = _output("Queue that takes events", ref("Queue"))
    if any(function.keeps for function in functions):
        found["TableName"] = _output("Table of the state", ref("Table"))
    if _has_bus(functions):
        found["BusName"] = _output("EventBridge bus of the CloudEvents", ref("Bus"))
    return found


def parameters() -> Resources:
    """The values of a stage that decide what is there at all."""
    return {"AlarmEmail": {"Type": "String", "Default": "${param:alarm-email}"}}


def conditions() -> Resources:
    """What is there only with some value."""
    return {"HasAlarmEmail": {"Fn::Not": [{"Fn::Equals": [ref("AlarmEmail"), ""]}]}}


def _has_bus(functions: Iterable[Function]) -> bool:
    return any("emit" in function.effects or "cloudevents" in function.sources for function in functions)


def _output(about: str, value: object) -> Data:
    return {"Description": about, "Value": value}


def _role(function: Function) -> Data:
    return role("lambda", statements(function), f"What the function {function.name} may do.")


def _table() -> Data:
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    pending = [{"AttributeName": "pending", "KeyType": "HASH"}, {"AttributeName": "due", "KeyType": "RANGE"}]
    kinds = {"pk": "S", "sk": "S", "pending": "S", "due": "N"}
    properties = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()],
        "KeySchema": keys,
        # Only markers with an effect that is still to be performed have these attributes.
        "GlobalSecondaryIndexes": [
            {"IndexName": "pending", "KeySchema": pending, "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ],
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
    }
    # Removing a stage leaves its state; so the table has no name of ours, which a new stage would find taken.
    return resource("DynamoDB::Table", properties, DeletionPolicy="Retain", UpdateReplacePolicy="Retain")


def _queue(name: str, properties: Data) -> Data:
    return resource("SQS::Queue", {"QueueName": f"{STAGED}-{name}", "SqsManagedSseEnabled": True, **properties})


def _events_queue(function: Function) -> Data:
    properties = {
        # AWS Lambda Developer Guide, "Using Lambda with Amazon SQS": six times the function's timeout.
        "VisibilityTimeout": 6 * function.timeout,
        "MessageRetentionPeriod": _TWO_WEEKS,
        "RedrivePolicy": {
            "deadLetterTargetArn": attribute(DEAD_LETTERS),
            "maxReceiveCount": receives(function.handlers),
        },
    }
    return _queue("events", properties)


def _alarms(functions: Iterable[Function]) -> Resources:
    found: Resources = {
        "Alarms": resource("SNS::Topic", {"TopicName": f"{STAGED}-alarms"}),
        "AlarmsByEmail": resource(
            "SNS::Subscription",
            {"TopicArn": ref("Alarms"), "Protocol": "email", "Endpoint": ref("AlarmEmail")},
            Condition="HasAlarmEmail",
        ),
        "DeadLettersAlarm": _alarm(
            "There are dead letters: botplatform gave up on something.",
            "SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": attribute(DEAD_LETTERS, "QueueName")},
            {"Statistic": "Maximum", "Threshold": 0},
        ),
    }
    for function in functions:
        found.update(_alarms_of(function))
    return found


def _alarms_of(function: Function) -> Iterator[tuple[str, Data]]:
    dimensions = {"FunctionName": ref(lambda_of(function))}
    any_at_all = {"Statistic": "Sum", "Threshold": 0}
    name = logical(function.name)
    for metric, happened in (("Errors", "failed"), ("Throttles", "was throttled")):
        about = f"The function {function.name} {happened}."
        yield f"{name}{metric}Alarm", _alarm(about, "Lambda", metric, dimensions, any_at_all)
    if function.name in _SLOW:
        often = {"ExtendedStatistic": "p99", "Threshold": _SLOW[function.name], "EvaluationPeriods": 3}
        about = f"One in a hundred who ask {function.name.title()} waits almost as long as it allows."
        yield f"{name}SlowAlarm", _alarm(about, "Lambda", "Duration", dimensions, often)


def _alarm(about: str, service: str, metric: str, dimensions: Data, test: Data) -> Data:
    properties = {
        "AlarmDescription": about,
        "Namespace": f"AWS/{service}",
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Period": 300,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [ref("Alarms")],
        **test,
    }
    return resource("CloudWatch::Alarm", properties)
