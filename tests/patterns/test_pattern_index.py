"""An index says the same as its patterns and topics one by one, and asks only a few of them."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botplatform.patterns.errors import PatternError
from botplatform.patterns.index import Index
from botplatform.patterns.match import Pattern
from botplatform.patterns.parse import compile
from botplatform.patterns.pruned import decoder
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
    st.builds(lambda text: {"prefix": {"equals-ignore-case": text}}, texts),
    st.builds(lambda text: {"suffix": text}, texts),
    st.builds(lambda text: {"equals-ignore-case": text}, texts),
    st.builds(lambda text: {"wildcard": f"{text}*{text}"}, texts),
    st.builds(lambda text: {"anything-but": {"prefix": text}}, texts),
    st.builds(lambda listed: {"anything-but": {"equals-ignore-case": listed}}, st.lists(texts, min_size=1)),
    st.builds(lambda listed: {"anything-but": listed}, st.lists(st.sampled_from([0, 1, 2]), min_size=1)),
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
    decode, first = decoder(index.paths), decoder(index.deciding)
    for event in arriving:
        expected: list[Any] = [
            (key, {}) for key, pattern in enumerate(added) if key not in removed and pattern.matches(event)
        ]
        assert list(index.match(event)) == expected
        assert list(index.match(decode(json.dumps(event).encode()))) == expected
        assert index.may_match(first(json.dumps(event).encode())) or not expected


few = st.sampled_from(["x", "y", 1])
elements = st.dictionaries(st.sampled_from(["b", "c"]), few | st.lists(few, max_size=2) | st.just({}), max_size=2)
nested = st.lists(elements | st.lists(elements, max_size=2) | few, min_size=1, max_size=4)
wanted = st.dictionaries(
    st.sampled_from(["b", "c"]),
    st.lists(st.sampled_from(["x", "y", 1, {"exists": False}, {"anything-but": "x"}]), min_size=1, max_size=2),
    min_size=1,
)


@settings(deadline=None, max_examples=600)
@given(st.lists(wanted, min_size=1, max_size=6), st.sampled_from(["x", "y"]), nested)
def test_they_agree_on_conditions_that_have_to_hold_together_in_one_element(
    several: list[dict[str, Any]], kind: str, items: list[Any]
) -> None:
    added = [compile({"kind": ["x"], "a": conditions}) for conditions in several]
    index: Index[int] = Index()
    for key, pattern in enumerate(added):
        index.add(key, pattern)
    event = {"kind": kind, "a": items}

    expected = [(key, {}) for key, pattern in enumerate(added) if pattern.matches(event)]
    assert list(index.match(event)) == expected
    assert list(index.match(decoder(index.paths)(json.dumps(event).encode()))) == expected


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
    for topic in arriving * 2:
        captured = [(key, template.match(topic)) for key, template in kept]
        assert list(index.match({}, topic)) == [(key, captures) for key, captures in captured if captures is not None]
        assert index.match_topic(topic) == index.match({}, topic)


def test_matches_come_in_the_order_they_were_added_with_their_captures() -> None:
    index: Index[str] = Index()
    index.add_topic("topic", Topic.parse("rooms/{room}"))
    index.add("pattern", compile({"type": ["reading"]}))
    index.add_topic("rest", Topic.parse("{all...}"))
    found = index.match({"type": "reading"}, "rooms/attic")
    assert found == (("topic", {"room": "attic"}), ("pattern", {}), ("rest", {"all": "rooms/attic"}))


def test_a_topic_filter_that_is_added_later_counts_for_topics_like_those_seen_before() -> None:
    index: Index[str] = Index()
    index.add_topic("door", Topic.parse("home/door"))
    assert index.match({}, "home/window") == ()
    for added in ("home/+", "+/window", "home/#"):
        index.add_topic(added, Topic.parse(added))
        assert [key for key, _ in index.match({}, "home/window")][-1] == added


def test_a_topic_alone_matches_topics_and_no_patterns() -> None:
    index: Index[str] = Index()
    index.add("anything", compile({"type": [{"exists": False}]}))
    index.add_topic("room", Topic.parse("rooms/{room}"))
    assert index.match_topic("rooms/attic") == (("room", {"room": "attic"}),)
    assert index.match_topic("rooms") == ()


def test_to_look_for_a_topic_alone_goes_on_as_the_index_changes() -> None:
    index: Index[str] = Index()
    found = index.match_topic
    assert found("home/door") == ()
    index.add_topic("home", Topic.parse("home/+"))
    assert found("home/door") == (("home", {}),)
    index.remove("home")
    assert found("home/door") == ()


def test_an_event_without_a_topic_matches_no_topic() -> None:
    index: Index[str] = Index()
    index.add_topic("all", Topic.parse("#"))
    assert index.match({"type": "reading"}) == ()


def test_a_key_can_be_added_once() -> None:
    index: Index[str] = Index()
    index.add("it", compile({"a": [1]}))
    with pytest.raises(ValueError, match="'it' is in the index already"):
        index.add_topic("it", Topic.parse("a"))
    assert index.match({"a": 1}, "a") == (("it", {}),)


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


def index_of(written: Iterable[dict[str, Any]]) -> Index[int]:
    index: Index[int] = Index()
    for key, pattern in enumerate(written):
        index.add(key, compile(pattern))
    return index


def steps(index: Index[int], event: dict[str, Any], topic: str | None = None) -> int:
    """How many functions, Python's own included, it takes to match an event like one that was matched before."""
    index.match(event, topic)
    counted = 0

    def count(_frame: object, kind: str, _function: object) -> None:
        nonlocal counted
        counted += kind in ("call", "c_call")

    sys.setprofile(count)
    try:
        index.match(event, topic)
    finally:
        sys.setprofile(None)
    return counted


def api_call(number: int) -> dict[str, Any]:
    return {
        "source": [f"aws.{number % 7}"],
        "detail": {
            "eventName": [f"Call{number // 2}", f"Undo{number // 2}"],
            "region": [{"prefix": f"eu-{number % 3}"}],
        },
    }


CALL = {"source": "aws.0", "detail": {"eventName": "Call7", "region": "eu-2-west"}}


def test_ten_thousand_patterns_take_as_many_steps_as_a_hundred() -> None:
    few, many = (index_of(map(api_call, range(size))) for size in (100, 10_000))
    assert [key for key, _ in few.match(CALL)] == [key for key, _ in many.match(CALL)] == [14]
    assert steps(many, CALL) == steps(few, CALL)


def test_an_event_whose_values_nobody_wants_takes_fewer_steps_still() -> None:
    index = index_of(map(api_call, range(1000)))
    other = {**CALL, "detail": {"eventName": "Else", "region": "eu-2-west"}}
    assert index.match(other) == ()
    assert steps(index, other) < steps(index, CALL)


def test_few_fields_decide_that_nothing_can_match() -> None:
    index = index_of(map(api_call, range(1000)))
    assert index.deciding == {"detail.eventName"}
    assert index.may_match({"detail": {"eventName": "Call7"}})
    assert not index.may_match({"detail": {"eventName": "Else"}})
    index.add(-1, compile({"x": [{"prefix": "y"}]}))
    assert index.deciding == index.paths
    assert index.may_match({"detail": {"eventName": "Else"}})


def test_an_index_of_topics_only_needs_nothing_of_an_event() -> None:
    index: Index[str] = Index()
    index.add_topic("all", Topic.parse("#"))
    assert index.paths == index.deciding == frozenset()
    assert not index.may_match({"a": 1})


def test_a_thousand_commands_and_intents_take_as_many_steps_as_fifty() -> None:
    def exact(number: int) -> dict[str, Any]:
        kind = "com.slack.command" if number % 2 else "com.amazon.alexa.IntentRequest"
        return {"type": [kind], "subject": [f"name{number}"]}

    few, many = (index_of(map(exact, range(size))) for size in (50, 1000))
    command = {"type": "com.slack.command", "subject": "name7", "data": {"text": "hello"}}
    assert many.match(command) == ((7, {}),)
    assert steps(many, command) == steps(few, command)


def test_patterns_and_topics_answer_in_one_call_and_a_topic_seen_before_takes_no_steps_of_its_own() -> None:
    index = index_of([{"type": ["org.mqtt.message"]}])
    for number in range(100):
        index.add_topic(1000 + number, Topic.parse(f"rooms/{{room}}/{number}"))
    message = {"type": "org.mqtt.message", "subject": "rooms/attic/7"}
    assert index.match(message, "rooms/attic/7") == ((0, {}), (1007, {"room": "attic"}))
    assert steps(index, message, "rooms/attic/7") == steps(index, message)


def test_what_a_topic_captured_cannot_be_changed_for_the_next_who_asks() -> None:
    index: Index[str] = Index()
    index.add_topic("room", Topic.parse("rooms/{room}"))
    _, captured = index.match({}, "rooms/attic")[0]
    with pytest.raises(TypeError):
        captured["room"] = "cellar"  # type: ignore[index]


def test_events_that_match_the_same_get_the_very_same_answer() -> None:
    index = index_of(map(api_call, range(1000)))
    assert index.match(CALL) is index.match({**CALL, "id": 5})


def test_a_change_is_seen_by_the_next_event() -> None:
    index = index_of([{"a": ["x"]}])
    assert index.match({"a": "x"}, "t") == ((0, {}),)
    index.add(1, compile({"a": [{"prefix": "x"}]}))
    index.add_topic(2, Topic.parse("t"))
    assert [key for key, _ in index.match({"a": "x"}, "t")] == [0, 1, 2]
    index.remove(0)
    index.remove(2)
    assert [key for key, _ in index.match({"a": "x"}, "t")] == [1]


@pytest.mark.parametrize(
    "values",
    [[1, True, 1.0, "1"], [True, 1, 1.0, "1"], [0, False, -0.0, None, ""], [False, 0, "0"], [[1], [True], [], {}, 1]],
    ids=str,
)
def test_what_is_remembered_of_one_value_is_not_said_of_another(values: list[Any]) -> None:
    conditions: list[Any] = [1, True, 0, False, None, "", {"exists": True}, {"exists": False}, {"anything-but": 1}]
    written = [{field: [condition]} for condition in conditions for field in ("x", "y")]
    index = index_of([*written, *({"x": [one], "y": [other]} for one in conditions for other in conditions)])
    asked = [{"x": value, "y": other} for value in values for other in values] * 2
    patterns = {key: compile(pattern) for key, pattern in enumerate(written)}
    for event in asked:
        found = [key for key, _ in index.match(event) if key < len(written)]
        assert found == [key for key, pattern in patterns.items() if pattern.matches(event)]


def test_memory_stays_the_same_however_many_values_come() -> None:
    index = index_of({"id": [f"known{n}", {"prefix": f"p{n}"}], "n": [{"numeric": [">", 5]}]} for n in range(20))
    index.add(-1, compile({"x": [{"suffix": "y"}], "z": [{"exists": False}]}))
    index.add_topic(-2, Topic.parse("topic/+"))

    def most_taken(numbers: range) -> int:
        tracemalloc.reset_peak()
        for number in numbers:
            index.match({"id": f"p3{number}", "n": number, "x": f"{number}y"}, f"topic/{number}")
            index.match_topic(f"other/{number}")
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        assert most_taken(range(20_000)) * 1.2 > most_taken(range(20_000, 60_000))
    finally:
        tracemalloc.stop()


def test_several_threads_may_bring_the_first_event() -> None:
    index = index_of(map(api_call, range(2000)))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: index.match(CALL), range(64)))
    assert {keys for answer in answers for keys, _ in answer} == {14}
    assert all(len(answer) == 1 for answer in answers)
