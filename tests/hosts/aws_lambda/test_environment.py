"""Secrets that are not in the environment: fetched when asked for, kept for a while, and never shown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from botplatform.errors import InvalidSettings, Retry
from botplatform.hosts.aws_lambda.environment import CURRENT_FOR, RENEWED_AFTER, Environment
from botplatform.sources.slack.signature import sign
from tests.hosts.aws_lambda.conftest import Aws, Clock, Context, MakeFunction

SECRETS = "SLACK_SIGNING_SECRET=ssm:/botplatform/dev/SLACK_SIGNING_SECRET, SLACK_BOT_TOKEN=secretsmanager:slack-token"
HELLO = '''
"""Says hello."""

from botplatform import slack


@slack.command("/hello")
def hello() -> str:
    return "hello"
'''


@pytest.fixture
def put(aws: Aws) -> Callable[[str], None]:
    """Puts a signing secret into the parameter store."""
    ssm = aws.client("ssm")

    def put(value: str) -> None:
        name = "/botplatform/dev/SLACK_SIGNING_SECRET"
        ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    put("first")
    aws.asked.clear()
    return put


@pytest.fixture
def settings(aws: Aws) -> dict[str, str]:
    return {**aws.settings, "BOTPLATFORM_SECRETS": SECRETS, "PLAIN": "as it is"}


@pytest.mark.usefixtures("put")
def test_a_secret_is_fetched_once_when_it_is_asked_for(settings: dict[str, str], aws: Aws) -> None:
    environment = Environment(settings)
    assert environment["PLAIN"] == "as it is"
    assert aws.asked == []

    assert [environment["SLACK_SIGNING_SECRET"] for _ in range(3)] == ["first"] * 3
    assert aws.asked == ["ssm"]


def test_a_secret_may_be_in_secrets_manager(settings: dict[str, str], aws: Aws) -> None:
    store = aws.client("secretsmanager")
    store.create_secret(Name="slack-token", SecretString="xoxb-1")

    assert Environment(settings).get("SLACK_BOT_TOKEN") == "xoxb-1"
    store.delete_secret(SecretId="slack-token", ForceDeleteWithoutRecovery=True)


def test_a_secret_is_fetched_anew_after_a_while(settings: dict[str, str], put: Callable[[str], None]) -> None:
    clock = Clock()
    environment = Environment(settings, clock)
    assert environment["SLACK_SIGNING_SECRET"] == "first"
    put("second")

    clock.ahead += CURRENT_FOR - 60
    assert environment["SLACK_SIGNING_SECRET"] == "first"
    clock.ahead += 61
    assert environment["SLACK_SIGNING_SECRET"] == "second"


@pytest.mark.usefixtures("put")
def test_while_a_secret_cannot_be_fetched_anew_the_known_one_serves(settings: dict[str, str], aws: Aws) -> None:
    clock = Clock()
    environment = Environment(settings, clock)
    assert environment["SLACK_SIGNING_SECRET"] == "first"
    aws.refuses.add("ssm")

    clock.ahead += CURRENT_FOR + 1
    assert environment["SLACK_SIGNING_SECRET"] == "first"
    assert environment["SLACK_SIGNING_SECRET"] == "first"
    assert len(aws.asked) == 2
    clock.ahead += RENEWED_AFTER + 1
    assert environment["SLACK_SIGNING_SECRET"] == "first"
    assert len(aws.asked) == 3


@pytest.mark.usefixtures("put")
def test_a_secret_that_cannot_be_read_is_named_and_not_shown(settings: dict[str, str], aws: Aws) -> None:
    aws.refuses.add("ssm")

    with pytest.raises(Retry) as failed:
        Environment(settings)["SLACK_SIGNING_SECRET"]

    assert (
        str(failed.value) == "the secret SLACK_SIGNING_SECRET cannot be read: ssm: ServiceUnavailable: come back later"
    )


@pytest.mark.usefixtures("put")
def test_its_repr_shows_no_secret_and_no_setting(settings: dict[str, str]) -> None:
    environment = Environment(settings)
    assert environment["SLACK_SIGNING_SECRET"] == "first"

    assert repr(environment) == "<Environment, secrets: SLACK_SIGNING_SECRET, SLACK_BOT_TOKEN>"


def test_it_is_a_mapping_of_both_kinds(settings: dict[str, str]) -> None:
    environment = Environment(settings)

    assert set(environment) == {*settings, "SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN"}
    assert len(environment) == len(settings) + 2
    assert "SLACK_BOT_TOKEN" in environment
    assert environment.get("NOWHERE") is None


@pytest.mark.parametrize("text", ["NAME", "NAME=vault:x", "NAME=ssm:", "=ssm:/x"])
def test_a_place_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^BOTPLATFORM_SECRETS: "):
        Environment({"BOTPLATFORM_SECRETS": text})


def ask(function: Any, secret: str) -> int:
    body = b"command=/hello&trigger_id=1&team_id=T0"
    context = {"http": {"method": "POST", "path": "/slack"}, "timeEpoch": time.time() * 1000}
    headers = sign(secret, body, datetime.now(UTC))
    answer = function(
        {"rawPath": "/slack", "headers": headers, "requestContext": context, "body": body.decode()}, Context()
    )
    return int(answer["statusCode"])


def test_a_signing_secret_that_was_changed_serves_at_once(
    function: MakeFunction, settings: dict[str, str], put: Callable[[str], None]
) -> None:
    clock = Clock()
    hello = function(settings, "slack", clock, hello=HELLO)
    assert ask(hello, "first") == 200
    put("second")
    assert ask(hello, "second") == 401  # asked for a moment ago

    clock.ahead += RENEWED_AFTER
    assert ask(hello, "second") == 200
    assert ask(hello, "first") == 401


@pytest.mark.usefixtures("put")
def test_forged_requests_do_not_make_it_ask_for_the_secret_again_and_again(
    function: MakeFunction, settings: dict[str, str], aws: Aws
) -> None:
    hello = function(settings, "slack", hello=HELLO)

    assert [ask(hello, "forged") for _ in range(5)] == [401] * 5
    assert aws.asked == ["ssm"]


def test_while_the_secret_cannot_be_read_slack_is_told_to_come_back(
    function: MakeFunction, settings: dict[str, str], aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.refuses.add("ssm")

    assert ask(function(settings, "slack", hello=HELLO), "first") == 503
    assert all("first" not in line for line in map(json.dumps, capsys.readouterr().out.splitlines()))
