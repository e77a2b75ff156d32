"""What handlers say of their limits, in Lambda's terms, and what Lambda does not keep of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from botplatform.deploy import limits
from botplatform.deploy.functions import functions
from tests.deploy.templates import rendered, resources
from tests.plugin_files import load

HANDLERS = """
    '''It.'''
    from botplatform import mqtt, slack
    {declared}

    @mqtt.topic("a/{{b}}"{first})
    def first(event): ...


    @mqtt.topic("c/{{d}}"{second})
    def second(event): ...
"""


def plugin(first: str = "", second: str = "", declared: str = "") -> str:
    """A plugin with two handlers, each with further arguments of its decorator."""
    given = {"first": first and f", {first}", "second": second and f", {second}"}
    return HANDLERS.format(declared=declared, **given)


def template(tmp_path: Path, **sources: str) -> Any:
    return rendered(load(tmp_path, **sources))


def notes(tmp_path: Path, source: str) -> list[str]:
    return limits.notes(functions(load(tmp_path, it=source)))


@pytest.mark.parametrize(
    ("first", "second", "declared", "timeout"),
    [
        ("", "", "", 60),
        ('deadline="30s"', "", "", 60),
        ('deadline="2m"', 'deadline="3m"', "", 190),
        ('deadline="90.5s"', "", "", 101),
        ('deadline="2m"', "", 'TIMEOUT = "5m"', 300),
        ('deadline="2m"', "", 'TIMEOUT = "20s"', 20),
        ('deadline="1h"', "", "", 900),
    ],
)
def test_a_function_may_run_longer_than_its_longest_deadline_unless_the_plugin_says_otherwise(
    tmp_path: Path, first: str, second: str, declared: str, timeout: int
) -> None:
    found = template(tmp_path, it=plugin(first, second, declared))
    assert [found["functions"][name]["timeout"] for name in ("it", "queue")] == [timeout, timeout]


@pytest.mark.parametrize(
    ("first", "second", "again"),
    [
        ("", "", 2),
        ("retries=0", "retries=0", 0),
        ("retries=0", "retries=1", 1),
        ("retries=1", "", 2),
        ("retries=9", "retries=1", 2),
    ],
)
def test_a_call_is_tried_again_as_often_as_its_most_patient_handler_wants(
    tmp_path: Path, first: str, second: str, again: int
) -> None:
    assert template(tmp_path, it=plugin(first, second))["functions"]["it"]["maximumRetryAttempts"] == again


@pytest.mark.parametrize(("first", "taken"), [("", 5), ("retries=0", 5), ("retries=20", 21)])
def test_a_message_of_the_queue_is_taken_as_often_as_its_most_patient_handler_wants(
    tmp_path: Path, first: str, taken: int
) -> None:
    queues = resources(template(tmp_path, it=plugin(first)), "SQS::Queue").values()
    assert [queue["RedrivePolicy"]["maxReceiveCount"] for queue in queues if "RedrivePolicy" in queue] == [taken]


@pytest.mark.parametrize(
    ("first", "second", "reserved"),
    [
        ("", "", None),
        ("concurrency=4", "", None),
        ("concurrency=4", "concurrency=4", 4),
        ("concurrency=4", "concurrency=2", 2),
    ],
)
def test_concurrency_is_reserved_where_every_handler_of_a_plugins_own_function_limits_it(
    tmp_path: Path, first: str, second: str, reserved: int | None
) -> None:
    found = template(tmp_path, it=plugin(first, second))["functions"]
    assert found["it"].get("reservedConcurrency") == reserved
    assert "reservedConcurrency" not in found["queue"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (plugin('deadline="30s", retries=2'), []),
        (plugin("retries=0"), []),
        (
            plugin("retries=5"),
            ["it.first in the function it: retries=5 is not kept, for Lambda tries a call of it again 2 times"],
        ),
        (
            plugin("retries=1"),
            ["it.first in the function it: retries=1 is not kept, for Lambda tries a call of it again 2 times"],
        ),
        (
            plugin('deadline="1h"'),
            [
                f'it.first in the function {name}: deadline="1 h" is not kept, '
                "for Lambda ends the function after 15 min"
                for name in ("it", "queue")
            ],
        ),
        (
            plugin("concurrency=4", "concurrency=2"),
            [
                "it.first in the function it: concurrency=4 is not kept, "
                "for Lambda limits whole functions, this one to 2",
                "it.first in the function queue: concurrency=4 is not kept, "
                "for Lambda limits whole functions, this one not at all",
                "it.second in the function queue: concurrency=2 is not kept, "
                "for Lambda limits whole functions, this one not at all",
            ],
        ),
    ],
    ids=["all kept", "none", "many retries", "few retries", "an hour", "concurrency"],
)
def test_what_lambda_does_not_keep_is_said(tmp_path: Path, source: str, said: list[str]) -> None:
    assert notes(tmp_path, source) == said
