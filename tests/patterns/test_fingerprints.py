"""Events with the same fingerprint match the same patterns; what could differ unseen has none."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from botplatform.patterns.fingerprint import SCALAR, TEXT, TEXT_OR_BOOLEAN, TEXT_OR_NUMBER, Wrapping, compact, decoder
from botplatform.patterns.index import Index
from botplatform.patterns.parse import compile

NAMES = ("a", "b", "a.b", "c")
scalars = st.sampled_from(["", "x", "y", 0, 1, 1.0, -0.0, True, False, None])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
events = st.dictionaries(st.sampled_from(NAMES), values, max_size=3)
conditions = st.sampled_from(
    [
        *(["x"], [1], [True], [False], [None], [""], [{"exists": False}], [{"exists": True}], [{"anything-but": "x"}]),
        *([{"anything-but": [1]}], [{"numeric": [">=", 0]}], [{"prefix": "x"}], ["y", 0], [True, 1]),
    ]
)
patterns = st.dictionaries(
    st.sampled_from(NAMES), conditions | st.dictionaries(st.sampled_from(NAMES), conditions, min_size=1), min_size=1
)

# Of texts that begin with "uv".
OF_TEXTS: list[Any] = [
    *("u", "uv", "uvx", "ux", 1, None, {"prefix": "u"}, {"prefix": "uv"}, {"prefix": "uvx"}, {"prefix": "x"}),
    *({"suffix": "v"}, {"wildcard": "u*x"}, {"anything-but": "uvx"}, {"anything-but": {"prefix": "x"}}),
]


def index_of(*wanted: Any) -> Index[int]:
    index: Index[int] = Index()
    for number, pattern in enumerate(wanted):
        index.add(number, compile(pattern))
    return index


def prints(index: Index[int], events: Iterable[Any]) -> Iterator[Hashable | None]:
    """The fingerprints of events; None for one that has none."""
    identify = decoder(index.kinds())
    for event in events:
        try:
            yield identify(json.dumps(event).encode()) if identify else None
        except msgspec.DecodeError:
            yield None


@settings(max_examples=1500, deadline=None, database=None, derandomize=True)
@given(wanted=st.lists(patterns, min_size=1, max_size=3), several=st.lists(events, min_size=2, max_size=6))
@example(wanted=[{"a": [1]}], several=[{"a": True}, {"a": 1}])
@example(wanted=[{"a": [{"exists": False}]}], several=[{"a": None}, {}])
@example(wanted=[{"a": {"b": [{"exists": False}]}}], several=[{"a": None}, {"a.b": 1}])
@example(wanted=[{"a": {"b": ["x"]}}], several=[{"a": [{"b": "x"}]}, {}])
def test_events_with_one_fingerprint_match_the_same(wanted: list[Any], several: list[Any]) -> None:
    index = index_of(*wanted)
    answers: dict[Hashable, Any] = {}
    for event, fingerprint in zip(several, prints(index, several), strict=True):
        if fingerprint is not None:
            answer = index.match(event)
            assert answers.setdefault(fingerprint, answer) == answer


def test_what_no_pattern_asks_for_makes_no_difference() -> None:
    index = index_of({"source": ["aws.iam"], "detail": {"eventName": [{"prefix": "Create"}]}})
    one = {"source": "aws.iam", "id": "1", "detail": {"eventName": "CreateUser", "eventID": "1"}}
    other = {"source": "aws.iam", "id": "2", "detail": {"eventName": "CreateUser", "requestParameters": [{}]}}

    first, second, third = prints(index, [one, other, {**one, "source": "aws.s3"}])

    assert first == second is not None
    assert first != third


def test_fingerprints_share_their_texts_once_they_are_compact() -> None:
    identify: Any = decoder({"a.b": SCALAR})
    one, other = (identify(b'{"a": {"b": "a text"}, "c": %d}' % number) for number in range(2))

    assert compact(one) == compact(other) == one
    assert one.field_0.field_0 is not other.field_0.field_0
    assert compact(one).field_0.field_0 is compact(other).field_0.field_0


@pytest.mark.parametrize(
    ("conditions", "kind"),
    [
        ([{"prefix": "x"}, "y", None, {"exists": False}, {"cidr": "10.0.0.0/8"}], SCALAR),
        ([True], TEXT_OR_BOOLEAN),
        ([1], TEXT_OR_NUMBER),
        ([{"numeric": [">", 1]}], TEXT_OR_NUMBER),
        ([{"anything-but": [1, 2]}], TEXT_OR_NUMBER),
        ([True, {"numeric": [">", 1]}], TEXT),
    ],
)
def test_true_and_1_are_not_both_taken_where_a_condition_tells_them_apart(conditions: list[Any], kind: Any) -> None:
    assert index_of({"a": conditions}).kinds() == {"a": kind}


@settings(max_examples=1500, deadline=None, database=None, derandomize=True)
@given(
    conditions=st.lists(st.sampled_from(OF_TEXTS), min_size=1, max_size=3), ends=st.lists(st.text("uvx", max_size=2))
)
def test_texts_that_begin_alike_match_the_same_where_no_condition_tells_them_apart(
    conditions: list[Any], ends: list[str]
) -> None:
    index = index_of(*({"a": [condition]} for condition in conditions))
    if "a" not in index.kinds({"a": "uv"}):
        assert len({tuple(key for key, _ in index.match({"a": f"uv{end}"})) for end in ends}) <= 1


@pytest.mark.parametrize(
    ("condition", "told_apart"),
    [
        *(("u", False), ("uv", True), ("uvx", True), ("ux", False), (1, False), (None, False)),
        *(({"prefix": "u"}, False), ({"prefix": "uv"}, False), ({"prefix": "uvx"}, True), ({"prefix": "x"}, False)),
        *(
            ({"suffix": "v"}, True),
            ({"wildcard": "u*x"}, True),
            ({"anything-but": "uvx"}, True),
            ({"exists": True}, True),
        ),
    ],
)
def test_a_field_is_left_out_where_no_condition_tells_apart_texts_that_begin_alike(
    condition: Any, told_apart: bool
) -> None:
    assert ("a" in index_of({"a": [condition]}).kinds({"a": "uv"})) == told_apart


@pytest.mark.parametrize(
    "paths",
    [["a", "a.b"], ["ä"], [f"a{number}" for number in range(65)]],
    ids=["a field that is an object, too", "a name that is not ASCII", "too many fields"],
)
def test_some_fields_have_no_fingerprint(paths: list[str]) -> None:
    assert decoder(dict.fromkeys(paths, SCALAR)) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{",
            "[]",
            '{"a": 1, "kind": ""}',
            '{"in": {"a": 1}}',
            '{"in": {"a": 1}, "kind": 1}',
            '{"in": 1, "kind": ""}',
        ),
        '{"in": {"a": 1}, "kind": "", "never": null}',
    ],
)
def test_an_event_that_is_not_wrapped_as_it_should_be_has_none(text: str) -> None:
    identify = decoder({"a": SCALAR, "b.c": SCALAR}, Wrapping("in", beside=["kind"], refused=["never"]))
    assert identify
    assert identify(b'{"in": {"a": 1}, "kind": "x"}') == identify(b'{"kind": "x", "in.a": 2, "in": {"a": 1.0}}')
    with pytest.raises(msgspec.DecodeError):
        identify(text.encode())
