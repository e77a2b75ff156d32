"""Patterns as functions written by hand: each operator means what it means in the language."""

from __future__ import annotations

import pytest

from benchmarks.predicates import predicate
from botplatform.patterns.parse import compile

VALUES = ("10.1.2.3", "10.2.2.3", "alice", "ALICE", "malice", "al", "", 0, 2, 7, True, None)
CONDITIONS = (
    *("alice", True, 2, None, {"exists": True}, {"exists": False}, {"prefix": "al"}, {"suffix": "ice"}),
    *({"equals-ignore-case": "Alice"}, {"wildcard": "a*e"}, {"cidr": "10.1.0.0/16"}, {"numeric": [">", 0, "<=", 2]}),
    *({"anything-but": ["alice"]}, {"anything-but": {"prefix": "al"}}),
)


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_a_function_takes_what_the_compiled_pattern_takes(condition):
    pattern = {"who": {"name": [condition]}}
    events = [{"who": {"name": value}} for value in VALUES] + [{"who": {}}, {"who": None}, {}]
    assert [predicate(pattern)(event) for event in events] == [compile(pattern).matches(event) for event in events]


def test_one_of_several_conditions_is_enough_and_every_field_has_to_pass():
    matches = predicate({"a": [1, {"prefix": "x"}], "b": ["y"]})
    assert matches({"a": 1, "b": "y"})
    assert matches({"a": "xx", "b": "y"})
    assert not matches({"a": 1, "b": "z"})
    assert not matches({"a": 2, "b": "y"})
