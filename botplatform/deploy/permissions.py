"""What a function may do on AWS: IAM statements, derived from what its plugins declare and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from botplatform.deploy.cloudformation import DEAD_LETTERS, STAGED, Data, sub
from botplatform.deploy.functions import SERVICE, Function
from botplatform.work import last_said

_HERE = "${AWS::Region}:${AWS::AccountId}"
# DynamoDB Developer Guide, "Using IAM with DynamoDB transactions": a transaction needs what its parts need.
_CHANGE = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem")
_MARK = ("dynamodb:GetItem", "dynamodb:PutItem")
_MARKERS = "done#*"


class Permission(NamedTuple):
    """One thing a function may do: in words for people, and as IAM has it.

    `resources` are ARNs with CloudFormation's variables in them; `all_but` turns them into those that are left out.
    """

    words: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Any] | None = None
    all_but: bool = False


def permissions(function: Function) -> list[Permission]:
    """All a function may do, in the order people should read it."""
    return [*_logs(function), *_table(function), *_effects(function), *_secrets(function), *_queues(function)]


def statements(function: Function) -> list[Data]:
    """The statements of a function's role."""
    return [_statement(permission) for permission in permissions(function)]


def shown(functions: Iterable[Function]) -> str:
    """What each function may do, for people to read before they install it."""
    return "\n\n".join("\n".join(_shown(function)) for function in functions)


def _shown(function: Function) -> Iterator[str]:
    others = [name for name in function.plugins if name != function.name]
    yield f"{function.name}{f' (with {_listed(others)})' if others else ''} may"
    for permission in permissions(function):
        yield f"  {permission.words}"
        resources = _listed(map(_readable, permission.resources))
        yield f"      {_readable(_listed(permission.actions))} on {'all but ' * permission.all_but}{resources}"
        for wanted in (permission.condition or {}).values():
            yield from (f"      only where {name} is {_listed(values)}" for name, values in wanted.items())


def _readable(text: str) -> str:
    """A text with names in capitals for what differs from stage to stage."""
    for variable, name in _STAGES_OWN.items():
        text = text.replace(variable, name)
    return re.sub(r"\$\{(\w+)\.Arn\}", r"\1", text)


def _statement(permission: Permission) -> Data:
    resources = [sub(name) for name in permission.resources]
    statement: Data = {"Effect": "Allow", "Action": list(permission.actions)}
    statement["NotResource" if permission.all_but else "Resource"] = resources
    if permission.condition:
        statement["Condition"] = dict(permission.condition)
    return statement


def _logs(function: Function) -> Iterator[Permission]:
    group = _arn("logs", f"log-group:/aws/lambda/{STAGED}-{function.name}:*")
    yield Permission("write its own log", ("logs:CreateLogStream", "logs:PutLogEvents"), (group,))


def _table(function: Function) -> Iterator[Permission]:
    """Its own plugins' state, and the markers, which no plugin sees: those of one event lie together.

    A transaction holds both, and nothing says whether DynamoDB checks its keys one by one: so one statement has all.
    """
    table = ("${Table.Arn}",)
    plugins = sorted({handler.plugin for handler in function.handlers if handler.keeps_state})
    texting = sorted({handler.plugin for handler in function.handlers if "text" in handler.uses})
    keys = [f"state#{name}" for name in (*plugins, *map(last_said, texting))]
    if keys:
        whose = [f"the state of {_listed(plugins)}"] * bool(plugins) + ["when which text was sent"] * bool(texting)
        words = f"read and change {' and '.join(whose)}, and remember which events are done"
        yield Permission(words, _CHANGE, table, _leading([*keys, _MARKERS]))
    elif function.keeps:
        yield Permission("remember which events are done", _MARK, table, _leading([_MARKERS]))
    if plugins:
        words = f"list the state of {_listed(plugins)}"
        yield Permission(words, ("dynamodb:Query",), table, _leading(keys[: len(plugins)]))
    if function.name == "sweep":
        yield Permission("find the effects that are pending", ("dynamodb:Query",), ("${Table.Arn}/index/pending",))


def _effects(function: Function) -> Iterator[Permission]:
    for effect in sorted(function.effects & _FOR_EFFECTS.keys()):
        needed = _FOR_EFFECTS[effect]
        asking = sorted({handler.plugin for handler in function.handlers if effect in handler.uses} - {function.name})
        yield needed._replace(words=f"{needed.words}, for {_listed(asking)}") if asking else needed


def _secrets(function: Function) -> Iterator[Permission]:
    if function.secrets:
        words = f"read {_listed(function.secrets)}"
        yield Permission(words, (SECRET_ACTION,), tuple(SECRET_ARN.format(name=name) for name in function.secrets))


def _queues(function: Function) -> Iterator[Permission]:
    if function.continues:
        myself = _arn("lambda", f"function:{STAGED}-{function.name}")
        yield Permission("go on after it answered, by calling itself", ("lambda:InvokeFunction",), (myself,))
    if function.name == "queue":
        actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
        yield Permission("take events from the queue", actions, ("${Queue.Arn}",))
    if function.keeps:
        yield Permission("keep what failed as dead letters", ("sqs:SendMessage",), (f"${{{DEAD_LETTERS}.Arn}}",))


def _arn(service: str, name: str) -> str:
    return f"arn:${{AWS::Partition}}:{service}:{_HERE}:{name}"


def _leading(keys: list[str]) -> dict[str, Any]:
    """Only items with these partition keys: "IAM policy conditions for fine-grained access control"."""
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


# Which store a stage keeps its secrets in is the stage's to say: the Serverless Framework puts it in.
SECRET_ACTION = "${self:custom.secrets.${param:secrets}.action}"
SECRET_ARN = "${{self:custom.secrets.${{param:secrets}}.arn}}/{name}${{self:custom.secrets.${{param:secrets}}.suffix}}"

_STAGES_OWN = {
    SECRET_ACTION: "ssm:GetParameter or secretsmanager:GetSecretValue",
    "${self:custom.secrets.${param:secrets}.arn}": f"/{SERVICE}/STAGE",
    "${self:custom.secrets.${param:secrets}.suffix}": "",
    "${AWS::Partition}": "aws",
    "${AWS::Region}": "REGION",
    "${AWS::AccountId}": "ACCOUNT",
    "${sls:stage}": "STAGE",
}

_FOR_EFFECTS = {
    "emit": Permission("send events to the other plugins", ("events:PutEvents",), ("${Bus.Arn}",)),
    "publish": Permission("publish to MQTT topics", ("iot:Publish", "iot:RetainPublish"), (_arn("iot", "topic/*"),)),
    # The resource of a text is its phone number, which no ARN can name; all that has an ARN is something else.
    "text": Permission("send texts", ("sns:Publish",), ("arn:${AWS::Partition}:sns:*:*:*",), all_but=True),
}
