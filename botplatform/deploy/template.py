"""serverless.yml: the functions, their triggers and all they need on AWS, as the Serverless Framework reads it."""

from __future__ import annotations

from botplatform.deploy import backing, limits, triggers
from botplatform.deploy.cloudformation import DEAD_LETTERS, Data, attribute, literal, ref, role_of
from botplatform.deploy.functions import SERVICE, Function, functions
from botplatform.deploy.yaml import dump
from botplatform.hosts.aws_lambda.loading import PACKAGE
from botplatform.plugins import Plugins

ENTRY = "botplatform.hosts.aws_lambda.entry.handle"
BUNDLES = ".botplatform/bundles"
# What is there before anybody made a skill: no request has this id, so none is answered.
NO_SKILL = "amzn1.ask.skill.not-set"
_HEADER = """\
# Made by `botplatform deploy render` from what the plugins declare: change those, not this file.
# It holds nothing of yours: values come from the environment (.env), from --param, and secrets from their store.
# For osls 4 (npm install osls), the open fork of the Serverless Framework, and for serverless 4.
"""
# AWS Lambda Developer Guide, CreateFunction: the length of a description.
_DESCRIPTION_LIMIT = 256


def render(plugins: Plugins) -> str:
    """The text of serverless.yml for the plugins, the same for every stage.

    Raises PluginMistake or Rejected with what has to be changed in a plugin before AWS can run it.
    """
    return _HEADER + "\n" + "\n".join(dump({name: part}) for name, part in _parts(functions(plugins)).items())


def _parts(all_functions: list[Function]) -> Data:
    return {
        "service": SERVICE,
        "frameworkVersion": "4",
        "params": {"default": _params()},
        "custom": {"secrets": _SECRETS},
        "provider": _provider(),
        "package": {"individually": True},
        "functions": {function.name: _function(function) for function in all_functions},
        "resources": {
            "Parameters": backing.parameters(),
            "Conditions": backing.conditions(),
            "Resources": {**triggers.resources(all_functions), **backing.resources(all_functions)},
            "Outputs": backing.outputs(all_functions),
        },
    }


def _params() -> Data:
    """The values of a stage, each of which `--param=NAME=VALUE` replaces."""
    return {
        "runtime": "python3.13",
        "architecture": "arm64",
        "log-days": 30,
        "secrets": "ssm",
        "alarm-email": "${env:BOTPLATFORM_ALARM_EMAIL, ''}",
        "ALEXA_SKILL_ID": f"${{env:ALEXA_SKILL_ID, '{NO_SKILL}'}}",
        "BOTPLATFORM_CHAIN_LIMIT": "${env:BOTPLATFORM_CHAIN_LIMIT, ''}",
        "BOTPLATFORM_RECIPIENTS": "${env:BOTPLATFORM_RECIPIENTS, ''}",
        "SLACK_API_URL": "${env:SLACK_API_URL, ''}",
    }


_HERE = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
# A secret is called /botplatform/STAGE/NAME in either store; Secrets Manager adds six characters to its ARN.
_SECRETS: Data = {
    "ssm": {
        "action": "ssm:GetParameter",
        "arn": _HERE % ("ssm", f"parameter/{SERVICE}/${{sls:stage}}"),
        "suffix": "",
    },
    "secretsmanager": {
        "action": "secretsmanager:GetSecretValue",
        "arn": _HERE % ("secretsmanager", f"secret:/{SERVICE}/${{sls:stage}}"),
        "suffix": "-??????",
    },
}


def _provider() -> Data:
    return {
        "name": "aws",
        "runtime": "${param:runtime}",
        "architecture": "${param:architecture}",
        "region": "${opt:region, env:AWS_REGION, 'us-east-1'}",
        "stage": "${opt:stage, 'dev'}",
        "deploymentMethod": "direct",
        "versionFunctions": False,
        "logRetentionInDays": "${param:log-days}",
        "stackTags": {"service": SERVICE, "stage": "${sls:stage}"},
    }


def _function(function: Function) -> Data:
    described: Data = {
        "description": literal(function.about)[:_DESCRIPTION_LIMIT],
        "handler": ENTRY,
        "package": {"artifact": f"{BUNDLES}/{function.name}.zip"},
        "role": role_of(function),
        "memorySize": function.memory,
        "timeout": function.timeout,
        "environment": _environment(function),
        # Of calls that nobody waits for: for so long, and so often, before they become dead letters.
        "maximumEventAge": 21_600,
        "maximumRetryAttempts": limits.retries(function.handlers),
    }
    at_a_time = limits.concurrency(function)
    if at_a_time is not None:
        described["reservedConcurrency"] = at_a_time
    if function.keeps:
        described["destinations"] = {"onFailure": {"type": "sqs", "arn": attribute(DEAD_LETTERS)}}
    events = triggers.framework_events(function)
    return {**described, "events": events} if events else described


def _environment(function: Function) -> Data:
    known: Data = {
        "BOTPLATFORM_LOAD": ",".join(function.plugins),
        "BOTPLATFORM_SOURCES": ",".join(function.sources),
    }
    if function.keeps:
        known.update(BOTPLATFORM_TABLE=ref("Table"), BOTPLATFORM_DEAD_LETTERS=ref(DEAD_LETTERS))
    if function.effects:
        known["BOTPLATFORM_EFFECTS"] = ",".join(sorted(function.effects))
    if "emit" in function.effects:
        known["BOTPLATFORM_BUS"] = ref("Bus")
    if function.hooks:
        known["BOTPLATFORM_HOOKS"] = ",".join(f"{PACKAGE}.{name}" for name in function.hooks)
    if function.secrets:
        known["BOTPLATFORM_SECRETS"] = ",".join(
            f"{name}=${{param:secrets}}:/{SERVICE}/${{sls:stage}}/{name}" for name in function.secrets
        )
    return {**known, **{name: f"${{param:{name}}}" for name in function.settings}}
