"""What osls makes of serverless.yml is a template that CloudFormation takes, with the rights that are declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from botplatform.deploy.functions import Function, functions
from botplatform.deploy.permissions import permissions
from botplatform.deploy.template import BUNDLES, render
from botplatform.plugins import Plugins
from tests.aws.emulator import OSLS, ROOT, need_tools
from tests.deploy.templates import EVERYTHING, walk
from tests.plugin_files import load

# osls adds a DependsOn that is implied by a reference: true of every function's role, and harmless.
IGNORED = "W3005"
STATED = {
    "${sls:stage}": "test",
    "${self:custom.secrets.${param:secrets}.action}": "ssm:GetParameter",
    "${self:custom.secrets.${param:secrets}.arn}": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:"
    "parameter/botplatform/test",
    "${self:custom.secrets.${param:secrets}.suffix}": "",
}


@pytest.fixture(scope="module", params=["shipped", "everything"])
def plugins(request, tmp_path_factory) -> Plugins:
    """The shipped plugins, and some that need everything there is."""
    if request.param == "shipped":
        return Plugins([ROOT / "plugins"])
    return load(tmp_path_factory.mktemp("plugins"), **EVERYTHING)


@pytest.fixture(scope="module")
def packaged(plugins, tmp_path_factory) -> Path:
    """The CloudFormation template that osls makes for a stage, without any bundle worth the name."""
    need_tools()
    folder = tmp_path_factory.mktemp("project")
    (folder / "serverless.yml").write_text(render(plugins))
    (folder / BUNDLES).mkdir(parents=True)
    for function in functions(plugins):
        with zipfile.ZipFile(folder / BUNDLES / f"{function.name}.zip", "w") as bundle:
            bundle.writestr("empty", "")
    environment = {**os.environ, "SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off"}
    command = [OSLS, "package", "--stage", "test", "--param=alarm-email=someone@example.com"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning: " not in done.stdout + done.stderr
    return folder / ".serverless" / "cloudformation-template-update-stack.json"


@pytest.fixture(scope="module")
def resources(packaged) -> dict[str, Any]:
    """The resources of that template, by logical id."""
    found: dict[str, Any] = json.loads(packaged.read_text())["Resources"]
    return found


def test_cfn_lint_finds_nothing(packaged):
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", IGNORED, "--template", packaged],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_variable_is_left(resources):
    texts = [value for value in walk(resources) if isinstance(value, str)]
    assert not [
        text for text in texts if "${param:" in text or "${self:" in text or "${sls:" in text or "${env:" in text
    ]


def arn(value: Any) -> str:
    """A resource of a statement as the declared permission writes it."""
    match value:
        case {"Fn::Sub": text}:
            return str(text)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
    return str(value)


def stated(text: str) -> str:
    """A declared text with what the stage puts in."""
    for variable, value in STATED.items():
        text = text.replace(variable, value)
    return text


def declared(function: Function) -> list[Any]:
    """The statements that a function's declared permissions are."""
    return [
        (list(map(stated, p.actions)), list(map(stated, p.resources)), p.all_but, dict(p.condition or {}))
        for p in permissions(function)
    ]


def granted(role: dict[str, Any]) -> list[Any]:
    """The statements of a packaged role."""
    (policy,) = role["Policies"]
    return [
        (
            s["Action"],
            [arn(r) for r in s.get("Resource", s.get("NotResource"))],
            "NotResource" in s,
            s.get("Condition", {}),
        )
        for s in policy["PolicyDocument"]["Statement"]
    ]


def test_each_function_may_do_exactly_what_is_declared(plugins, resources):
    deployed = {
        it["Properties"]["FunctionName"]: it["Properties"] for it in resources.values() if "Code" in it["Properties"]
    }
    wanted = functions(plugins)
    assert set(deployed) == {f"botplatform-test-{function.name}" for function in wanted}
    for function in wanted:
        role = resources[deployed[f"botplatform-test-{function.name}"]["Role"]["Fn::GetAtt"][0]]["Properties"]
        assert granted(role) == declared(function), function.name
        assert "ManagedPolicyArns" not in role


def test_every_role_is_ours(resources):
    roles = {name for name, it in resources.items() if it["Type"] == "AWS::IAM::Role"}
    assert "IamRoleLambdaExecution" not in roles
    assert not [name for name, it in resources.items() if it["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")]


def test_every_functions_log_is_kept_for_a_month(plugins, resources):
    kept = {
        it["Properties"]["LogGroupName"]: it["Properties"]["RetentionInDays"]
        for it in resources.values()
        if it["Type"] == "AWS::Logs::LogGroup"
    }
    assert kept == {f"/aws/lambda/botplatform-test-{function.name}": 30 for function in functions(plugins)}


def test_what_lambda_gives_up_on_becomes_a_dead_letter(plugins, resources):
    invoked = [it["Properties"] for it in resources.values() if it["Type"] == "AWS::Lambda::EventInvokeConfig"]
    lost = [it for it in invoked if "OnFailure" in it.get("DestinationConfig", {})]
    assert len(invoked) == len(functions(plugins))
    assert len(lost) == sum(function.keeps for function in functions(plugins))
