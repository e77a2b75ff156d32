"""An index says the same as its patterns and topics one by one, and asks only a few of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botplatform.patterns.errors import PatternError
from botplatform.patterns.fields import Fields
from botplatform.patterns.index import Index
from botplatform.patterns.match import Conjunction, Pattern
from botplatform.patterns.parse import compile
from botplatform.patterns.topics import Topic

# Few names and few values, so that patterns and events meet often.
names = st.sampled_from(["a", "b", "a.b"])
scalars = st.sampled_from(["", "x", "y", "xy", "X", "::1", "0::1", "10.0.0.1", 0, 1, 1.0, -1, True, False, None])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
events = st.dictionaries(names, values, max_size=3)
exact = scalars
texts = st.sampled_from(["x", "y", "xy", "X"])
operators = st.one_of(
    st.builds(lambda text: {"prefix": text}, texts),
    st.builds(lambda text: {"suffix": {"equals-ignore-case": text}}, texts),
    st.builds(lambda text: {"wildcard": f"*{text}"}, texts),
    st.builds(lambda text: {"anything-but": {"prefix": text}}, texts),
    st.builds(lambda listed: {"anything-but": listed}, st.lists(texts, min_size=1)),
    st.builds(lambda number: {"numeric": [">=", number]}, st.sampled_from([-1, 0, 1])),
    st.just({"exists": True}),
    st.just({"cidr": "10.0.0.0/8"}),
)
absent = st.just({"exists": False})


def patterns_of(conditions: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = st.lists(conditions, min_size=1, max_size=3)

    def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        plain = st.dictionaries(names, fields | inner, min_size=1, max_size=3)
        branching = st.builds(
            lambda node, branches: {**node, "$or": branches}, plain, st.lists(inner, min_size=2, max_size=3)
        )
        return plain | branching

    return st.recursive(st.dictionaries(names, fields, min_size=1, max_size=3), deeper, max_leaves=6)


def compiled(written: dict[str, Any]) -> Pattern | None:
    try:
        return compile(written)
    except PatternError:
        return None


patterns = patterns_of(exact | operators | absent).map(compiled).filter(bool)
lasting_patterns = patterns_of(exact | operators).map(compiled).filter(bool)


@settings(deadline=None, max_examples=400)
@given(st.lists(patterns, max_size=8), st.lists(events, min_size=1, max_size=4), st.sets(st.integers(0, 7)))
def test_the_index_and_its_patterns_never_disagree(
    added: list[Pattern], arriving: list[dict[str, Any]], removed: set[int]
) -> None:
    index: Index[int] = Index()
    for key, pattern in enumerate(added):
        index.add(key, pattern)
    for key in removed & set(range(len(added))):
        index.remove(key)
    for event in arriving:
        expected = [(key, {}) for key, pattern in enumerate(added) if key not in removed and pattern.matches(event)]
        assert index.match(event) == expected


@settings(deadline=None, max_examples=200)
@given(patterns, events)
def test_a_pattern_explains_exactly_what_it_does_not_match(pattern: Pattern, event: dict[str, Any]) -> None:
    assert (pattern.explain(event) is None) == pattern.matches(event)


def with_one_element_of_each_array(value: Any) -> Iterator[Any]:
    """Every way to keep the scalars of each array, and one of the arrays and objects in it."""
    if isinstance(value, dict):
        choices = [list(with_one_element_of_each_array(inner)) for inner in value.values()]
        yield from (dict(zip(value, chosen, strict=True)) for chosen in product(*choices))
    elif isinstance(value, list):
        plain = [item for item in value if not isinstance(item, dict | list)]
        nested = [item for item in value if isinstance(item, dict | list)]
        yield from ([*plain, kept] for item in nested for kept in with_one_element_of_each_array(item))
        if not nested:
            yield plain
    else:
        yield value


@settings(deadline=None, max_examples=400)
@given(lasting_patterns, events)
def test_conditions_on_arrays_hold_on_one_element_of_each(pattern: Pattern, event: dict[str, Any]) -> None:
    expected = any(pattern.matches(reduced) for reduced in with_one_element_of_each_array(event))
    assert pattern.matches(event) is expected


levels = st.sampled_from(["a", "b", "", "$SYS"])
wild = st.sampled_from(["+", "{x}", "a", "b", "", "$SYS"])
topics = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)
templates = st.builds(
    lambda share, front, last: share + "/".join([*front, *last]),
    st.sampled_from(["", "$share/g/"]),
    st.lists(wild, min_size=1, max_size=4),
    st.sampled_from([[], ["#"], ["{rest...}"]]),
)


def parsed(template: str) -> Topic | None:
    try:
        return Topic.parse(template)
    except PatternError:
        return None


@settings(deadline=None, max_examples=400)
@given(
    st.lists(templates.map(parsed).filter(bool), max_size=8),
    st.lists(topics, min_size=1, max_size=4),
    st.sets(st.integers(0, 7)),
)
def test_the_index_and_its_topics_never_disagree(added: list[Topic], arriving: list[str], removed: set[int]) -> None:
    index: Index[int] = Index()
    for key, template in enumerate(added):
        index.add_topic(key, template)
    for key in removed & set(range(len(added))):
        index.remove(key)
    kept = [(key, template) for key, template in enumerate(added) if key not in removed]
    for topic in arriving:
        captured = [(key, template.match(topic)) for key, template in kept]
        assert index.match({}, topic) == [(key, captures) for key, captures in captured if captures is not None]


def test_matches_come_in_the_order_they_were_added_with_their_captures() -> None:
    index: Index[str] = Index()
    index.add_topic("topic", Topic.parse("rooms/{room}"))
    index.add("pattern", compile({"type": ["reading"]}))
    index.add_topic("rest", Topic.parse("{all...}"))
    found = index.match({"type": "reading"}, "rooms/attic")
    assert found == [("topic", {"room": "attic"}), ("pattern", {}), ("rest", {"all": "rooms/attic"})]


def test_an_event_without_a_topic_matches_no_topic() -> None:
    index: Index[str] = Index()
    index.add_topic("all", Topic.parse("#"))
    assert index.match({"type": "reading"}) == []


def test_a_key_can_be_added_once() -> None:
    index: Index[str] = Index()
    index.add("it", compile({"a": [1]}))
    with pytest.raises(ValueError, match="'it' is in the index already"):
        index.add_topic("it", Topic.parse("a"))
    assert index.match({"a": 1}, "a") == [("it", {})]


def test_a_removed_key_can_be_added_again_and_comes_last() -> None:
    index: Index[str] = Index()
    for key in ("first", "second"):
        index.add(key, compile({"a": [1]}))
    index.remove("first")
    index.add("first", compile({"a": [1]}))
    assert [key for key, _ in index.match({"a": 1})] == ["second", "first"]


def test_a_key_that_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(KeyError):
        Index[str]().remove("nobody")


class Counted(Conjunction):
    """Counts how often the index asks it."""

    asked = 0

    def holds(self, fields: Fields) -> bool:
        Counted.asked += 1
        return super().holds(fields)


def times_asked(written: list[dict[str, Any]], event: Mapping[str, Any]) -> int:
    index: Index[int] = Index()
    for key, pattern in enumerate(written):
        index.add(key, Pattern([Counted(alternative.tests) for alternative in compile(pattern).alternatives]))
    Counted.asked = 0
    index.match(event)
    return Counted.asked


def api_call(number: int) -> dict[str, Any]:
    return {
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventName": [f"Call{number}", f"Undo{number}"], "region": [{"prefix": "eu-"}]},
    }


def test_ten_thousand_patterns_take_no_more_asking_than_ten() -> None:
    event = {"detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "Call7", "region": "eu-west-1"}}
    ten, ten_thousand = (times_asked([api_call(number) for number in range(size)], event) for size in (10, 10_000))
    assert ten == ten_thousand <= 3  # its own, and the few filed before the index knew what they all have in common


def test_the_rarest_of_the_exact_values_keys_a_pattern() -> None:
    written = [{"source": ["aws.s3"], "id": [number]} for number in range(100)]
    assert times_asked([*written, {"source": ["aws.ec2"], "id": [5]}], {"source": "aws.s3", "id": 50}) <= 2


def test_each_branch_of_an_or_has_its_own_key() -> None:
    written = [{"$or": [{"a": [number]}, {"b": [number]}]} for number in range(100)]
    assert times_asked(written, {"a": 1, "b": 2}) == 2


def test_a_pattern_without_exact_values_is_met_only_by_events_with_its_field() -> None:
    assert times_asked([{"a": [{"prefix": "x"}]}], {"b": "x"}) == 0


def test_a_field_that_must_be_there_is_a_better_key_than_one_that_must_not() -> None:
    assert times_asked([{"a": [{"exists": False}], "b": [{"prefix": "x"}]}], {"c": "x"}) == 0


def test_a_pattern_that_wants_only_absence_is_met_by_every_event() -> None:
    assert times_asked([{"a": [{"exists": False}]}], {"b": "x"}) == 1
