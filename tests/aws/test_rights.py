"""What a function may not do: the emulator enforces the roles, as AWS does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from botplatform import aws
from tests.aws.aws_stage import AwsStage

SECRET = "/botplatform/conformance/SLACK_BOT_TOKEN"


def client(stage: AwsStage, function: str, service: str) -> Any:
    """A client with the rights of a function: its role, which for that lets us in."""
    role = stage.client("lambda").get_function_configuration(FunctionName=f"botplatform-conformance-{function}")["Role"]
    everybody = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com", "AWS": "*"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    stage.client("iam").update_assume_role_policy(RoleName=role.rpartition("/")[2], PolicyDocument=trust)
    session = stage.client("sts").assume_role(RoleArn=role, RoleSessionName=function)["Credentials"]
    credentials = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    return aws.client(service, {**stage.deployment.environment, **credentials})


# Each service has its own name for it.
DENIED = "AccessDenied|AuthorizationError|Forbidden"


@pytest.mark.parametrize(
    ("function", "service", "call", "arguments"),
    [
        ("room_temperature", "sns", "publish", {"PhoneNumber": "+15550100", "Message": "hello"}),
        ("too_hot", "iot-data", "publish", {"topic": "locks/front-door/set", "payload": b"unlocked"}),
        ("too_hot", "ssm", "get_parameter", {"Name": SECRET, "WithDecryption": True}),
        ("too_hot", "lambda", "invoke", {"FunctionName": "botplatform-conformance-slack"}),
        ("slack", "lambda", "invoke", {"FunctionName": "botplatform-conformance-alexa"}),
        ("slack", "dynamodb", "scan", {"TableName": "any"}),
    ],
)
def test_a_function_may_do_nothing_that_its_plugins_do_not_declare(
    aws_stage: AwsStage, function: str, service: str, call: str, arguments: Mapping[str, Any]
) -> None:
    with pytest.raises(ClientError, match=DENIED):
        getattr(client(aws_stage, function, service), call)(**arguments)


def test_a_function_may_do_what_its_plugins_declare(aws_stage: AwsStage) -> None:
    client(aws_stage, "too_hot", "sns").publish(PhoneNumber="+15550100", Message="hello")
    client(aws_stage, "door_lock", "iot-data").publish(topic="locks/front-door/set", payload=b"locked")
    client(aws_stage, "slack", "ssm").get_parameter(Name=SECRET, WithDecryption=True)
