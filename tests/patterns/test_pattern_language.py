"""The language, operator by operator: what matches, what does not, and what is refused, with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from botplatform.patterns.errors import PatternError
from botplatform.patterns.index import Index
from botplatform.patterns.parse import compile
from botplatform.patterns.pruned import decoder

# One condition of field "x", the value of "x" in the event, and whether they match.
CONDITIONS: list[tuple[Any, Any, bool]] = [
    # exact values
    ("on", "on", True),
    ("on", "On", False),
    ("on", ["off", "on"], True),
    ("on", [], False),
    ("on", [["off", "on"]], True),
    ("", "", True),
    ("", " ", False),
    ("", None, False),
    ("*", "anything", False),
    ("1", 1, False),
    (1, "1", False),
    (1, True, False),
    (True, 1, False),
    (True, True, True),
    (False, True, False),
    (False, 0, False),
    (None, None, True),
    (None, "null", False),
    (300, 300.0, True),
    (3.0e2, 300, True),
    (0, -0.0, True),
    (0.1, 0.1000001, False),
    (123456789012, 123456789012, True),
    (2**63 + 1, 2**63 + 1, True),
    (2**63 + 1, float(2**63), False),
    ("10.0.0.1", "10.0.0.1", True),
    ("2001:db8::1", "2001:0db8:0:0:0:0:0:1", True),
    ("2001:db8::1", "2001:db8::2", False),
    ("12:30", "12:30", True),
    ({"exactly": "on"}, "on", True),
    # prefix and suffix
    ({"prefix": "eu-"}, "eu-west-1", True),
    ({"prefix": "eu-"}, "us-east-1", False),
    ({"prefix": "eu-"}, "EU-west-1", False),
    ({"prefix": ""}, "", True),
    ({"prefix": ""}, 7, False),
    ({"prefix": "a*"}, "abc", False),
    ({"prefix": {"equals-ignore-case": "EventB"}}, "EVENTBRIDGE", True),
    ({"prefix": {"equals-ignore-case": "EventB"}}, "the eventbridge", False),
    ({"prefix": {"equals-ignore-case": "a.c"}}, "abc", False),
    ({"suffix": ".png"}, "cat.png", True),
    ({"suffix": ".png"}, "cat.PNG", False),
    ({"suffix": ".png"}, ["cat.gif", "cat.png"], True),
    ({"suffix": ""}, None, False),
    ({"suffix": {"equals-ignore-case": ".PNG"}}, "cat.png", True),
    ({"suffix": {"equals-ignore-case": ".PNG"}}, "cat.png\n", False),
    # equals-ignore-case
    ({"equals-ignore-case": "Alice"}, "aLICE", True),
    ({"equals-ignore-case": "Alice"}, "Alicia", False),
    ({"equals-ignore-case": "Ärger"}, "äRGER", True),
    ({"equals-ignore-case": "straße"}, "strasse", False),
    ({"equals-ignore-case": "1"}, 1, False),
    # wildcard
    ({"wildcard": "dir/*.png"}, "dir/a/b.png", True),
    ({"wildcard": "dir/*.png"}, "dir/.png", True),
    ({"wildcard": "dir/*.png"}, "other/dir/a.png", False),
    ({"wildcard": "*"}, "", True),
    ({"wildcard": "*"}, 1, False),
    ({"wildcard": "a*b*a"}, "aba", True),
    ({"wildcard": "ab*ba"}, "aba", False),
    ({"wildcard": "*b*b*"}, "abc", False),
    ({"wildcard": "a*a*a"}, "aa", False),
    ({"wildcard": "plain"}, "plain", True),
    ({"wildcard": r"5\*"}, "5*", True),
    ({"wildcard": r"5\*"}, "55", False),
    ({"wildcard": r"C:\\*"}, "C:\\temp", True),
    ({"wildcard": "a*"}, "a\nb", True),
    # anything-but
    ({"anything-but": "off"}, "on", True),
    ({"anything-but": "off"}, "off", False),
    ({"anything-but": "off"}, 1, True),
    ({"anything-but": "off"}, None, True),
    ({"anything-but": "off"}, ["off", "on"], True),
    ({"anything-but": "off"}, ["off", "off"], False),
    ({"anything-but": "off"}, [], False),
    ({"anything-but": 0}, 0.0, False),
    ({"anything-but": 0}, "0", True),
    ({"anything-but": 0}, False, True),
    ({"anything-but": [1, 2]}, 2, False),
    ({"anything-but": ["a", "b"]}, "c", True),
    ({"anything-but": {"prefix": "a"}}, "ba", True),
    ({"anything-but": {"prefix": ["a", "b"]}}, "ba", False),
    ({"anything-but": {"suffix": ".gif"}}, "a.gif", False),
    ({"anything-but": {"suffix": [".gif", ".png"]}}, "a.jpg", True),
    ({"anything-but": {"wildcard": "*/lib/*"}}, "a/lib/b", False),
    ({"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}, "a/src/b", True),
    ({"anything-but": {"equals-ignore-case": "off"}}, "OFF", False),
    ({"anything-but": {"equals-ignore-case": ["off", "idle"]}}, "On", True),
    ({"anything-but": {"equals-ignore-case": "off"}}, 5, True),
    # numeric
    ({"numeric": ["=", 301.5]}, 3.015e2, True),
    ({"numeric": ["=", 301.5]}, "301.5", False),
    ({"numeric": [">", 0, "<=", 5]}, 5, True),
    ({"numeric": [">", 0, "<=", 5]}, 0, False),
    ({"numeric": [">=", -1.5, "<", 0]}, -1.5, True),
    ({"numeric": ["<", 10]}, 10, False),
    ({"numeric": ["<=", 10]}, [50, 10], True),
    ({"numeric": [">", 0]}, True, False),
    ({"numeric": [">", 0]}, 1e300, True),
    ({"numeric": [">", 0]}, 10**18, True),
    ({"numeric": [">", 0]}, 2**53 + 1, False),
    ({"numeric": [">", 0]}, 10**400, False),
    ({"numeric": [">", 0]}, float("inf"), False),
    # exists
    ({"exists": True}, "", True),
    ({"exists": True}, None, True),
    ({"exists": True}, [], False),
    ({"exists": True}, {"y": 1}, False),
    ({"exists": False}, [], True),
    ({"exists": False}, {"y": 1}, True),
    ({"exists": False}, None, False),
    # cidr
    ({"cidr": "10.0.0.0/24"}, "10.0.0.255", True),
    ({"cidr": "10.0.0.0/24"}, "10.0.1.0", False),
    ({"cidr": "10.0.0.77/24"}, "10.0.0.1", True),
    ({"cidr": "0.0.0.0/0"}, "203.0.113.9", True),
    ({"cidr": "0.0.0.0/0"}, "::1", False),
    ({"cidr": "0.0.0.0/0"}, "example.org", False),
    ({"cidr": "10.0.0.0/24"}, "10.0.0.256", False),
    ({"cidr": "2001:db8::/32"}, "2001:DB8:1::9", True),
    ({"cidr": "2001:db8::/32"}, "10.0.0.1", False),
    ({"cidr": "2001:db8::/32"}, "2001:db8::1%eth0", False),
]


@pytest.mark.parametrize(("condition", "value", "matches"), CONDITIONS)
def test_a_condition_on_a_value(condition: Any, value: Any, matches: bool) -> None:
    assert compile({"x": [condition]}).matches({"x": value}) is matches


@pytest.mark.parametrize(
    ("condition", "matches"),
    [("", False), (None, False), ({"prefix": ""}, False), ({"anything-but": "a"}, False), ({"exists": False}, True)],
)
def test_a_condition_on_a_field_that_is_not_there(condition: Any, matches: bool) -> None:
    assert compile({"x": [condition]}).matches({"y": "a"}) is matches


PEOPLE = {"people": [{"name": "Ada", "age": 36}, {"name": "Alan", "age": 41}]}

# A whole pattern, an event, and whether they match.
PATTERNS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    # fields: all of them; conditions: any of them
    ({"a": [1], "b": [2]}, {"a": 1, "b": 2, "c": 3}, True),
    ({"a": [1], "b": [2]}, {"a": 1, "b": 3}, False),
    ({"a": [1, 2, {"prefix": "x"}]}, {"a": "xy"}, True),
    ({"a": [{"exists": False}, "x"]}, {"b": 1}, True),
    ({"a": [{"exists": False}, "x"]}, {"a": "y"}, False),
    # paths: nested, dotted, and through arrays
    ({"a": {"b": {"c": [1]}}}, {"a": {"b": {"c": 1}}}, True),
    ({"a.b": {"c": [1]}}, {"a": {"b.c": 1}}, True),
    ({"a": {"b": [1]}}, {"a": 1}, False),
    ({"a": ["x"]}, {"a": {"b": "x"}}, False),
    ({"a": {"b": [1]}}, {"a": [{"b": 2}, {"b": 1}]}, True),
    ({"a": {"b": [1]}}, {"a": [[{"b": 1}]]}, True),
    ({"a": [1], "a.b": [2]}, {"a": [1, {"b": 2}]}, True),
    ({"a": {"b": [1]}, "a.b": [2]}, {"a": {"b": 2}}, True),  # the service uses the last of them
    ({"a": {"b": [1]}, "a.b": [2]}, {"a": {"b": 1}}, False),
    # arrays of objects: conditions hold on one element
    ({"people": {"name": ["Ada"], "age": [36]}}, PEOPLE, True),
    ({"people": {"name": ["Ada"], "age": [41]}}, PEOPLE, False),
    ({"people": {"name": [{"prefix": "A"}], "age": [41]}}, PEOPLE, True),
    ({"a": {"x": [1]}, "b": {"y": [2]}}, {"a": [{"x": 0}, {"x": 1}], "b": [{"y": 2}, {"y": 3}]}, True),
    ({"a": {"b": {"x": [1], "y": [2]}}}, {"a": [{"b": [{"x": 1}, {"y": 2}]}]}, False),
    ({"a": {"b": {"x": [1]}, "c": {"y": [2]}}}, {"a": [{"b": [{"x": 1}], "c": [{"y": 2}]}]}, True),
    ({"a": {"b": {"x": [1]}, "c": {"y": [2]}}}, {"a": [{"b": [{"x": 1}]}, {"c": [{"y": 2}]}]}, False),
    ({"a": {"tags": ["t"], "n": [2]}}, {"a": [{"tags": ["s", "t"], "n": 2}]}, True),
    ({"a": {"x": [1], "y": [{"exists": False}]}}, {"a": [{"x": 1}, {"x": 2, "y": 3}]}, True),
    ({"a": {"x": [2], "y": [{"exists": False}]}}, {"a": [{"x": 1}, {"x": 2, "y": 3}]}, False),
    ({"a": {"b": [{"exists": False}], "x": [1]}}, {"a": [{"x": 1}, {"x": 2, "b": 3}]}, False),  # "b" is asked first
    (
        {"a": [1, 2], "a.b": [{"exists": False}]},
        {"a": [1, {"b": 5}, [2]]},
        True,
    ),  # by the 2, which has no "b" beside it
    ({"a": [1], "a.b": [{"exists": False}]}, {"a": [1, {"b": 5}, [2]]}, False),
    ({"a": {"x": [1], "b": [{"exists": False}]}}, {"a": [{"x": 1}, {"x": 2, "b": 3}]}, False),  # however it is written
    ({"a": {"b": {"x": [1], "y": [2]}}}, {"a.b": [{"x": 1}, {"y": 2}], "a": {"b": [{"y": 2}]}}, True),  # two arrays
    # $or at any depth
    ({"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}, True),
    ({"$or": [{"a": [1]}, {"b": [2]}]}, {"a": 2, "b": 1}, False),
    ({"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}, {"a": 1, "b": 2}, False),
    ({"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}, {"b": 2, "c": 3}, True),
    ({"$or": [{"a": [1], "b": [1]}, {"c": [1]}]}, {"a": 1, "c": 2}, False),
    ({"$or": [{"a": [1]}, {"$or": [{"b": [1]}, {"c": [1]}], "d": [1]}]}, {"c": 1, "d": 1}, True),
    ({"$or": [{"a": [1]}, {"$or": [{"b": [1]}, {"c": [1]}], "d": [1]}]}, {"c": 1}, False),
    ({"n": {"$or": [{"a": [1]}, {"b": {"$or": [{"x": [1]}, {"y": [1]}]}}]}}, {"n": {"b": {"y": 1}}}, True),
    ({"a": [0], "$or": [{"a": [1]}, {"b": [2]}]}, {"a": 1}, True),  # the branch's own condition replaces the outer
    ({"a": {"$or": [{"x": [1], "y": [2]}, {"z": [3]}]}}, {"a": [{"x": 1}, {"y": 2}]}, False),
]


@pytest.mark.parametrize(("pattern", "event", "matches"), PATTERNS)
def test_a_pattern_on_an_event(pattern: dict[str, Any], event: dict[str, Any], matches: bool) -> None:
    assert compile(pattern).matches(event) is matches
    index: Index[str] = Index()
    index.add("it", compile(pattern))
    assert bool(index.match(event)) is matches
    assert bool(index.match(decoder(index.paths)(json.dumps(event).encode()))) is matches


# A pattern the service refuses, and the place that is wrong.
REFUSED: list[tuple[Any, str]] = [
    ([], "$"),
    ({}, "$"),
    ({"a": {}}, "$.a"),
    ({"a": []}, "$.a"),
    ({"a": "x"}, "$.a"),
    ({"a": None}, "$.a"),
    ({"a": {"b": 1}}, "$.a.b"),
    ({"a": ["x", ["y"]]}, "$.a[1]"),
    ({"a": [{}]}, "$.a[0]"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "$.a[0]"),
    ({"a": ["x", {"Prefix": "x"}]}, "$.a[1]"),
    ({"a": [float("nan")]}, "$.a[0]"),
    ({"a": [{"exactly": 1}]}, "$.a[0].exactly"),
    ({"a": [{"prefix": 1}]}, "$.a[0].prefix"),
    ({"a": [{"prefix": ["x"]}]}, "$.a[0].prefix"),
    ({"a": [{"prefix": {"equals-ignore-case": 1}}]}, "$.a[0].prefix.equals-ignore-case"),
    ({"a": [{"prefix": {"wildcard": "*"}}]}, "$.a[0].prefix"),
    ({"a": [{"suffix": None}]}, "$.a[0].suffix"),
    ({"a": [{"suffix": {}}]}, "$.a[0].suffix"),
    ({"a": [{"equals-ignore-case": ["x"]}]}, "$.a[0].equals-ignore-case"),
    ({"a": [{"wildcard": 1}]}, "$.a[0].wildcard"),
    ({"a": [{"wildcard": "a**b"}]}, "$.a[0].wildcard"),
    ({"a": [{"wildcard": "a\\b"}]}, "$.a[0].wildcard"),
    ({"a": [{"wildcard": "a\\"}]}, "$.a[0].wildcard"),
    ({"a": [{"anything-but": True}]}, "$.a[0].anything-but"),
    ({"a": [{"anything-but": None}]}, "$.a[0].anything-but"),
    ({"a": [{"anything-but": []}]}, "$.a[0].anything-but"),
    ({"a": [{"anything-but": ["x", 1]}]}, "$.a[0].anything-but"),
    ({"a": [{"anything-but": ["x", None]}]}, "$.a[0].anything-but[1]"),
    ({"a": [{"anything-but": 2**53 + 1}]}, "$.a[0].anything-but"),
    ({"a": [{"anything-but": {"numeric": ["=", 1]}}]}, "$.a[0].anything-but"),
    ({"a": [{"anything-but": {"prefix": ""}}]}, "$.a[0].anything-but.prefix"),
    ({"a": [{"anything-but": {"suffix": ["x", ""]}}]}, "$.a[0].anything-but.suffix[1]"),
    ({"a": [{"anything-but": {"prefix": []}}]}, "$.a[0].anything-but.prefix"),
    ({"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]}, "$.a[0].anything-but.prefix"),
    ({"a": [{"anything-but": {"wildcard": ["*", "**"]}}]}, "$.a[0].anything-but.wildcard[1]"),
    ({"a": [{"numeric": {}}]}, "$.a[0].numeric"),
    ({"a": [{"numeric": []}]}, "$.a[0].numeric"),
    ({"a": [{"numeric": [">", 0, "<"]}]}, "$.a[0].numeric"),
    ({"a": [{"numeric": ["!=", 1]}]}, "$.a[0].numeric[0]"),
    ({"a": [{"numeric": [1, 1]}]}, "$.a[0].numeric[0]"),
    ({"a": [{"numeric": ["=", "1"]}]}, "$.a[0].numeric[1]"),
    ({"a": [{"numeric": ["=", True]}]}, "$.a[0].numeric[1]"),
    ({"a": [{"numeric": [">", 10**400]}]}, "$.a[0].numeric[1]"),
    ({"a": [{"numeric": [">", 5, "<", 5]}]}, "$.a[0].numeric"),
    ({"a": [{"numeric": ["<", 5, ">", 0]}]}, "$.a[0].numeric"),
    ({"a": [{"numeric": ["=", 5, "<", 9]}]}, "$.a[0].numeric"),
    ({"a": [{"exists": "true"}]}, "$.a[0].exists"),
    ({"a": [{"exists": 1}]}, "$.a[0].exists"),
    ({"a": [{"cidr": 1}]}, "$.a[0].cidr"),
    ({"a": [{"cidr": "10.0.0.0"}]}, "$.a[0].cidr"),
    ({"a": [{"cidr": "10.0.0.0/8/8"}]}, "$.a[0].cidr"),
    ({"a": [{"cidr": "10.0.0.0/32"}]}, "$.a[0].cidr"),
    ({"a": [{"cidr": "10.0.0.0/-1"}]}, "$.a[0].cidr"),
    ({"a": [{"cidr": "10.0.0.0/255.0.0.0"}]}, "$.a[0].cidr"),
    ({"a": [{"cidr": "10.0.0/8"}]}, "$.a[0].cidr"),
    ({"a": [{"cidr": "2001:db8::/128"}]}, "$.a[0].cidr"),
    ({"$or": {"a": [1]}}, "$.$or"),
    ({"$or": [{"a": [1]}]}, "$.$or"),
    ({"$or": [{"a": [1]}, "x"]}, "$.$or[1]"),
    ({"$or": [{"a": [1]}, {}]}, "$.$or[1]"),
    ({"b": {"$or": [{"a": [1]}, {"prefix": ["x"]}]}}, "$.b.$or[1].prefix"),
    ({"$or": [{"a": {"regex": ["x"]}}, {"b": [1]}]}, "$.$or[0].a.regex"),
]


@pytest.mark.parametrize(("pattern", "where"), REFUSED)
def test_a_pattern_the_service_refuses_says_where(pattern: Any, where: str) -> None:
    with pytest.raises(PatternError) as refused:
        compile(pattern)
    assert refused.value.where == where
    assert str(refused.value).startswith(f"{where}: ")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"a": [1]', "$"),
        ('{"a": [NaN]}', "$"),
        (b'{"a": ["\xff"]}', "$"),
        ('"a"', "$"),
        ("[" * 100_000, "$"),
        ('{"a": [1], "a": [2]}', "$..a"),
        ('{"d": {"a": [1], "a": [2]}}', "$..a"),
        ('{"a": [{"prefix": "x", "prefix": "y"}]}', "$..prefix"),
        ('{"a": [{"numeric": ["<", 1e999]}]}', "$.a[0].numeric[1]"),
    ],
)
def test_a_text_that_is_no_pattern_says_where(text: str | bytes, where: str) -> None:
    with pytest.raises(PatternError) as refused:
        compile(text)
    assert refused.value.where == where


STACKS = [f"*:stack/{name}Stack/*" for name in ("Shared", "Worker", "Api", "Monitoring")]


@pytest.mark.parametrize(
    "conditions",
    [
        [{"wildcard": text} for text in STACKS],
        [{"anything-but": {"wildcard": STACKS}}],
        [{"wildcard": "*".join("abcdefghijkl")}],
        [{"wildcard": "*a*a*aaaaaaaaaaaaaaaaaaaa"}, {"wildcard": "b*c*"}],
        [{"wildcard": f"*{'ab' * 400}*{'ab' * 400}*{'ba' * 400}*"}],
    ],
    ids=["listed", "negated", "asterisks", "repetition", "long"],
)
def test_wildcards_a_value_may_be_at_too_many_places_of_are_refused(conditions: list[Any]) -> None:
    with pytest.raises(PatternError, match="too complex") as refused:
        compile({"a": conditions})
    assert refused.value.where == "$.a"


@pytest.mark.parametrize(
    "conditions",
    [
        [{"wildcard": text} for text in STACKS[:3]],
        [{"wildcard": "a*b*c*d*e"}],
        [{"wildcard": "/home/*/src/src/src/src/main.py"}],
        [{"wildcard": f"team{number}/*"} for number in range(200)],
        [{"prefix": f"{number}"} for number in range(100)],
    ],
    ids=["listed", "asterisks", "repetition", "apart", "prefixes"],
)
def test_wildcards_that_tell_early_are_not_too_complex(conditions: list[Any]) -> None:
    assert not compile({"a": conditions}).matches({"a": "else"})


def test_text_and_bytes_compile_alike() -> None:
    text = json.dumps({"name": [{"prefix": "Zoë"}]}, ensure_ascii=False)
    assert compile(text).matches({"name": "Zoë K."})
    assert compile(text.encode()).matches({"name": "Zoë K."})


def test_an_or_of_a_thousand_combinations_is_the_most() -> None:
    ten = [{f"k{number}": [1]} for number in range(10)]
    nested = {"a": {"$or": ten}, "b": {"$or": ten}, "c": {"$or": ten}}
    assert compile(nested).matches({"a": {"k9": 1}, "b": {"k0": 1}, "c": {"k5": 1}})
    with pytest.raises(PatternError, match="more than 1000 combinations"):
        compile({**nested, "d": {"$or": ten[:2]}})


def test_a_reserved_name_is_a_field_outside_of_or() -> None:
    assert compile({"prefix": ["x"]}).matches({"prefix": "x"})


def test_an_event_may_nest_deeper_than_the_stack() -> None:
    value: Any = "deep"
    for _ in range(2_000):
        value = [value]
    assert compile({"a": ["deep"]}).matches({"a": value})


def test_unrelated_arrays_do_not_multiply() -> None:
    keys = "abcdefgh"
    event = {key: [{"x": 1, "y": 2} for _ in range(50)] for key in keys}
    every = {key: {"x": [1], "y": [2]} for key in keys}
    assert compile(every).matches(event)
    assert not compile({**every, "h": {"x": [1], "y": [3]}}).matches(event)
