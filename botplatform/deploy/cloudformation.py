"""CloudFormation's words as plain data: resources, references and names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from botplatform.deploy.functions import SERVICE, Function

Data = dict[str, Any]
Resources = dict[str, Data]

# The Serverless Framework puts the stage in.
STAGED = f"{SERVICE}-${{sls:stage}}"
DEAD_LETTERS = "DeadLetters"


def resource(kind: str, properties: Data, **attributes: Any) -> Data:
    """A resource of a kind without its `AWS::`."""
    return {"Type": f"AWS::{kind}", **attributes, "Properties": properties}


def ref(logical_id: str) -> Data:
    """A reference to a resource."""
    return {"Ref": logical_id}


def attribute(logical_id: str, name: str = "Arn") -> Data:
    """An attribute of a resource."""
    return {"Fn::GetAtt": [logical_id, name]}


def sub(text: str) -> Any:
    """A text with CloudFormation's `${…}` in it."""
    whole = re.fullmatch(r"\$\{(\w+)\.(\w+)\}", text)
    if whole:
        return attribute(whole[1], whole[2])
    return {"Fn::Sub": text} if "${" in text else text


def literal(text: str) -> str:
    """A text of an author's: what looks like a variable in it is none."""
    return text.replace("${", "\\${")


def logical(name: str) -> str:
    """The part of a logical id that the Serverless Framework makes of a function's name (`TooUnderscorehot`)."""
    return name[0].upper() + name[1:].replace("-", "Dash").replace("_", "Underscore")


def lambda_of(function: Function) -> str:
    """The logical id of a function."""
    return f"{logical(function.name)}LambdaFunction"


def role_of(function: Function) -> str:
    """The logical id of a function's role."""
    return f"{logical(function.name)}Role"


def statement(actions: Sequence[str], resources: Sequence[str], condition: Mapping[str, Any] | None = None) -> Data:
    """An IAM statement that allows actions."""
    allowed = {"Effect": "Allow", "Action": list(actions), "Resource": [sub(name) for name in resources]}
    return {**allowed, "Condition": dict(condition)} if condition else allowed


def role(service: str, statements: Sequence[Data], about: str, source: str = "") -> Data:
    """A role that a service may take on, in our account only (and for `source` only), with the statements."""
    trust: Data = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    if source:
        trust["Condition"] = {"ArnLike": {"aws:SourceArn": sub(source)}}
    return resource(
        "IAM::Role",
        {
            "Description": about,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {"PolicyName": "declared", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
            ],
        },
    )
