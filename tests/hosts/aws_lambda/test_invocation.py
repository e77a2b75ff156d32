"""How long an answer may take, by what is known of the request and of Lambda's own limit."""

from __future__ import annotations

import time

import pytest

from botplatform.hosts.aws_lambda.invocation import RESERVE, Invocation
from tests.hosts.aws_lambda.conftest import Context


def seconds_left(within: float, under_way: float | None = None, lambda_gives: float = 900) -> float:
    """The time for an answer due `within` seconds, to a request that reached AWS `under_way` seconds ago."""
    now = time.monotonic()
    arrived = None if under_way is None else time.time() - under_way
    return Invocation(Context(lambda_gives), {}, now).deadline(within, arrived) - now


@pytest.mark.parametrize(
    ("under_way", "left"),
    [
        (None, 2.5),
        (0.0, 2.5),
        (2.0, 0.5),  # the function had to start
        (3.0, -0.5),
        (-5.0, 2.5),  # clocks that differ
        (86_400.0, 2.5),  # a sample
    ],
)
def test_the_time_a_request_was_under_way_counts_where_it_is_plausible(under_way: float | None, left: float) -> None:
    assert seconds_left(2.5, under_way) == pytest.approx(left, abs=0.2)


def test_nobody_waits_longer_than_lambda_gives() -> None:
    assert seconds_left(7.0, lambda_gives=3.0) == pytest.approx(3.0 - RESERVE, abs=0.2)


def test_without_a_context_there_is_no_limit() -> None:
    assert Invocation(None, {}, 0.0).time_left == float("inf")
