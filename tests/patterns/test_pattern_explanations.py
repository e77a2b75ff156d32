"""Why an event does not match, in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform.patterns.parse import compile

EVENT = {
    "source": "aws.s3",
    "tags": ["a", "b", "c", "d", "e"],
    "data": {"eventName": "ListBuckets", "count": 7, "user": None, "ip": "203.0.113.9"},
    "rows": [{"x": 1, "y": 2}, {"x": 3, "y": 4}],
}


def test_a_match_needs_no_explanation() -> None:
    assert compile({"source": ["aws.s3"]}).explain(EVENT) is None


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (
            {"data": {"eventName": ["CreateUser", "DeleteUser"]}},
            'data.eventName is "ListBuckets", wanted "CreateUser" or "DeleteUser"',
        ),
        ({"data": {"userIdentity": {"type": ["Root"]}}}, "data.userIdentity.type is absent"),
        ({"data": [{"exists": True}]}, "data is absent"),
        ({"data": {"user": [{"exists": False}]}}, "data.user is null, wanted no value"),
        (
            {"data": {"count": [{"numeric": [">", 10, "<=", 20]}, None]}},
            "data.count is 7, wanted a number > 10 and <= 20 or null",
        ),
        (
            {"data": {"ip": [{"cidr": "10.0.0.7/8"}, "::1"]}},
            'data.ip is "203.0.113.9", wanted an address in 10.0.0.0/8 or the address ::1',
        ),
        (
            {"source": [{"prefix": "x"}, {"suffix": "y"}, {"wildcard": "a*z"}]},
            'source is "aws.s3", wanted text starting with "x" or text ending with "y" or text like "a*z"',
        ),
        (
            {"source": [{"equals-ignore-case": "S3"}, {"prefix": {"equals-ignore-case": "S3"}}]},
            'source is "aws.s3", wanted "S3" in any case or text starting with "S3" in any case',
        ),
        (
            {"source": [{"suffix": {"equals-ignore-case": "SQS"}}]},
            'source is "aws.s3", wanted text ending with "SQS" in any case',
        ),
        (
            {"source": [{"anything-but": {"prefix": ["aws.", "gcp."]}}]},
            'source is "aws.s3", wanted anything but text starting with "aws." or text starting with "gcp."',
        ),
        ({"tags": ["z"]}, 'tags is "a" and "b" and "c" and 2 more, wanted "z"'),
        (
            {"rows": {"x": [1], "y": [4]}},
            "rows.x and rows.y match only in different elements of an array",
        ),
        (
            {"$or": [{"source": ["aws.ec2"]}, {"owner": ["me"]}]},
            'source is "aws.s3", wanted "aws.ec2"; and owner is absent',
        ),
        (
            {"$or": [{name: [1]} for name in "abcde"]},
            "a is absent; and b is absent; and c is absent; and 2 more alternatives fail",
        ),
    ],
)
def test_the_sentence_names_the_field_what_it_held_and_what_was_wanted(pattern: Any, sentence: str) -> None:
    assert compile(pattern).explain(EVENT) == sentence


def test_the_first_field_that_fails_is_the_one_named() -> None:
    pattern = compile({"source": ["aws.s3"], "data": {"count": [8], "eventName": ["CreateUser"]}})
    assert pattern.explain(EVENT) == "data.count is 7, wanted 8"


def test_alternatives_that_fail_for_one_reason_say_it_once() -> None:
    pattern = compile({"source": ["aws.ec2"], "$or": [{"a": [1]}, {"b": [2]}]})
    assert pattern.explain(EVENT) == 'source is "aws.s3", wanted "aws.ec2"'
