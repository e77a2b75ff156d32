"""JSON is the same whichever library is at work: Python's own, or msgspec."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from importlib.util import find_spec, module_from_spec
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botplatform.errors import Rejected


def fresh() -> Any:
    """The module as a new process has it: nobody has chosen msgspec yet."""
    spec = find_spec("botplatform.codec")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STANDARD, FAST = fresh(), fresh()
FAST.use_msgspec()


@pytest.fixture(params=[STANDARD, FAST], ids=["json", "msgspec"])
def codec(request: pytest.FixtureRequest) -> Any:
    return request.param


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Reading:
    celsius: float


class Nothing:
    """What JSON has no form for."""

    def __repr__(self) -> str:
        return "Nothing()"


class Meters(int):
    """A number of a type of its own."""


class Name(str):
    """A text of a type of its own."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        ([1, -2, 2**64, 10**30], "[1,-2,18446744073709551616,1000000000000000000000000000000]"),
        ([1.0, -0.0, 0.1, 0.0001, 9007199254740993.0], "[1.0,-0.0,0.1,0.0001,9007199254740992.0]"),
        ([float("nan"), float("inf")], "[null,null]"),
        ("Küche \U0001f600 \u2028 \x7f /", '"Küche \U0001f600 \u2028 \x7f /"'),
        ('"\\\n\r\t\b\f\0\x1f', r'"\"\\\n\r\t\b\f\u0000\u001f"'),
        ({"b": [], "a": {}}, '{"b":[],"a":{}}'),
        ((1, (2,)), "[1,[2]]"),
        (Point(1, 2), "[1,2]"),
        (OrderedDict(a=1), '{"a":1}'),
        ({1: 2, 1.5: 3}, '{"1":2,"1.5":3}'),
        ({Colour.RED: Colour.RED, "level": Level.HIGH, "word": Word.YES}, '{"red":"red","level":3,"word":"yes"}'),
        ({"at": datetime(2026, 1, 5, 12, tzinfo=UTC)}, '{"at":"2026-01-05T12:00:00Z"}'),
        ([UUID(int=1), Decimal("1.50"), {7}], '["00000000-0000-0000-0000-000000000001","1.50",[7]]'),
        ([Reading(21.5), b"\xff"], '[{"celsius":21.5},"/w=="]'),
    ],
    ids=repr,
)
def test_a_value_is_written_in_one_way(codec: Any, value: Any, written: str) -> None:
    assert codec.encode(value) == written.encode()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (Nothing(), TypeError),
        ({"deep": [Nothing()]}, TypeError),
        ({True: 1}, TypeError),
        ({None: 1}, TypeError),
        ({Meters(1): 1}, TypeError),
        (Meters(1), TypeError),
        ([Name("kitchen")], TypeError),
        ("\ud800", UnicodeEncodeError),
    ],
    ids=repr,
)
def test_what_json_cannot_hold_is_refused(codec: Any, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        codec.encode(value)


def test_what_goes_round_in_circles_cannot_be_written(codec: Any) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(RecursionError):
        codec.encode(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b" [1, 2.50, -0.0, 1E3, 1e-400]\n", [1, 2.5, -0.0, 1000.0, 0.0]),
        (b'{"a": 1, "a": null}', {"a": None}),
        ('"Küche"', "Küche"),
        (rb'"\u004b\/\ud83d\ude00\n"', "K/\U0001f600\n"),
        (rb'"\\ud800"', r"\ud800"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"-0", 0),
    ],
    ids=repr,
)
def test_a_text_is_read_in_one_way(codec: Any, text: bytes | str, value: Any) -> None:
    assert codec.decode(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Input data was truncated"),
        (b'{"a": 1,}', "JSON is malformed: trailing comma in object (byte 8)"),
        (b"{'a': 1}", "JSON is malformed: object keys must be strings (byte 1)"),
        (b"1 2", "JSON is malformed: trailing characters (byte 3)"),
        (b"NaN", "JSON is malformed: invalid character (byte 0)"),
        (b"[-Infinity]", "JSON is malformed: invalid character (byte 2)"),
        (b"1e999", "Number out of range"),
        (b"1" * 5000, "Integer value out of range"),
        (b'"a\tb"', "JSON is malformed: invalid character (byte 2)"),
        (rb'"\ud800"', "Input data was truncated"),
        (rb'{"\uDC00": 1}', "JSON is malformed: invalid utf-16 surrogate pair (byte 8)"),
        ('"a"'.encode("utf-16"), "JSON is malformed: invalid character (byte 0)"),
        (b'\xef\xbb\xbf"a"', "JSON is malformed: invalid character (byte 0)"),
        (b'"\xff"', "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ('"\ud800"', "'utf-8' codec can't encode character '\\ud800' in position 1: surrogates not allowed"),
    ],
    ids=lambda given: f"{given!r:.20}",
)
def test_what_is_no_json_is_refused_with_the_place(codec: Any, text: bytes | str, reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        codec.decode(text)
    assert str(refused.value) == f"not JSON: {reason}"
    if isinstance(text, bytes):
        assert not codec.is_json(text)


def test_what_is_nested_too_deeply_is_refused(codec: Any) -> None:
    with pytest.raises(Rejected, match=r"^JSON nested too deeply$"):
        codec.decode(b"[" * 100_000)


def test_what_comes_from_outside_may_be_nested_less_than_what_is_kept(codec: Any) -> None:
    nested = {levels: b'[{"a":' * (levels // 2) + b"1" + b"}]" * (levels // 2) for levels in (250, 252, 300, 302)}

    assert codec.encode(codec.received(nested[250])) == nested[250]
    assert codec.encode(codec.decode(nested[300])) == nested[300]
    for refuse, text in ((codec.received, nested[252]), (codec.decode, nested[302])):
        with pytest.raises(Rejected, match="nested too deeply"):
            refuse(text)


def test_brackets_in_texts_are_no_levels(codec: Any) -> None:
    assert codec.received(b'["' + b"[" * 1000 + b'"]') == ["[" * 1000]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
)
# JSON as others write it (with NaN and Infinity, escaped or not), with a little of it replaced by something else.
TEXTS = st.binary() | st.builds(
    lambda value, ascii, place, slip: (
        (written := json.dumps(value, ensure_ascii=ascii).encode(errors="surrogatepass"))[:place]
        + slip
        + written[place + len(slip) :]
    ),
    VALUES,
    st.booleans(),
    st.integers(0, 100),
    st.sampled_from([b"", b"\\ud800", b"\\u", b"\\", b'"', b"e9", b"-", b".", b"\n", b"\xff", b"9" * 20]) | st.binary(),
)


def outcome(function: Callable[[Any], Any], given: Any) -> Any:
    """What came of a call: a value as its repr, since 1 and 1.0 are not the same, JSON as it is."""
    try:
        result = function(given)
    except (Rejected, TypeError, UnicodeEncodeError) as error:
        return f"{type(error).__name__} {error if isinstance(error, Rejected) else ''}"
    return result if isinstance(result, bytes) else repr(result)


@given(VALUES)
@example([1e16, 1e-5, 1e300])
def test_any_value_is_written_alike(value: Any) -> None:
    standard, fast = outcome(STANDARD.encode, value), outcome(FAST.encode, value)
    assert outcome(FAST.decode, standard) == outcome(FAST.decode, fast)


@given(TEXTS)
@example(b"-")
@example(b"[1e400, NaN]")
def test_any_text_is_read_alike(text: bytes) -> None:
    assert outcome(STANDARD.decode, text) == outcome(FAST.decode, text)
    assert outcome(STANDARD.received, text) == outcome(FAST.received, text)


@pytest.mark.parametrize("levels", [*range(1, 20), 249, 250])
@pytest.mark.parametrize(("begin", "end"), [(b'{"a":', b"}"), (b"[", b"]"), (b'[{"a":', b"}]")])
def test_however_deep_a_text_is_its_value_is_whole(codec: Any, begin: bytes, end: bytes, levels: int) -> None:
    several = levels // (len(end))
    text = begin * several + b"1" + end * several
    assert codec.encode(codec.received(text)) == text


UNWRAP = FAST.unwrapping("detail", ["id", "resources"])


@pytest.mark.parametrize(
    "text",
    [
        b'{"id": "1", "resources": [], "detail": {"a": [{"b": 1.50}], "c": null}}',
        b'{"detail": {}, "resources": ["x", "y"], "id": "1", "id": "2"}',
        b'{"id": "1", "resources": [], "detail": {"a": 1}, "detail": {"a": 2}}',
    ],
)
def test_what_texts_stand_beside_is_unwrapped(text: bytes) -> None:
    assert UNWRAP(text) == STANDARD.received(text)["detail"]
    assert STANDARD.unwrapping("detail", ["id", "resources"])(text) is None


@pytest.mark.parametrize(
    "text",
    [
        b'{"id": "1", "detail": {}}',
        b'{"id": "1", "resources": []}',
        b'{"id": "1", "resources": [], "detail": []}',
        b'{"id": "1", "resources": [], "detail": null}',
        b'{"id": 1, "resources": [], "detail": {}}',
        b'{"id": "1", "resources": [1], "detail": {}}',
        b'{"id": "1", "resources": [], "detail": {}, "more": "x"}',
        b'{"id": "\xff", "resources": [], "detail": {}}',
        b'{"id": "1", "resources": [], "detail": {}}}',
        b'{"id": "1", "resources": [], "detail": {"a":' + b"[" * 300 + b"]" * 300 + b"}}",
        b"[]",
        b"",
    ],
    ids=lambda text: f"{text!r:.60}",
)
def test_nothing_else_is_unwrapped(text: bytes) -> None:
    assert UNWRAP(text) is None


def test_what_is_json_already_is_copied_as_it_is(codec: Any) -> None:
    assert codec.encode_with({"id": "1"}, "data", b'{ "a": 1.50 }') == b'{"id":"1","data":{ "a": 1.50 }}'


@given(st.binary())
def test_bytes_come_back_from_base64(data: bytes) -> None:
    assert STANDARD.from_base64(STANDARD.to_base64(data), "payload") == data


@pytest.mark.parametrize("value", ["a", "YQ", "YQ==\n", "Y Q==", "Küche", None, 7, ["YQ=="]], ids=repr)
def test_what_is_no_base64_is_refused(value: Any) -> None:
    with pytest.raises(Rejected, match=r"^payload: payload is no base64$"):
        STANDARD.from_base64(value, "payload")


def test_what_does_not_fit_a_type_is_said() -> None:
    assert STANDARD.misfit({"celsius": 21.5}, Reading) is None
    assert STANDARD.misfit({"celsius": "warm"}, Reading) == "Expected `float`, got `str` - at `$.celsius`"
