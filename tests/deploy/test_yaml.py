"""What is written as YAML reads back as what it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botplatform.deploy.yaml import dump
from tests.deploy.templates import parsed

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))


@given(VALUES)
def test_any_value_survives(value):
    assert parsed(dump(value)) == value


# Words, numbers and dates of YAML's; its punctuation; what nobody should have in a text.
LOOKALIKES = ["yes", "No", "null", "~", "1", "1.5", "1e3", "2016-03-23", "0x10", "12:30", "=", "<<"]
LOOKALIKES += ["a: b", "a #b", "- a", "{a}", "*a", "a:", " a", "", "?", "$or", "${a}", "arn:aws:a"]
LOOKALIKES += ["a\tb", "a\nb", "\x7f", "\u2028", "🌡"]


@pytest.mark.parametrize("text", LOOKALIKES)
def test_texts_that_look_like_something_else_stay_texts(text):
    assert parsed(dump({text: [text, {"a": text}]})) == {text: [text, {"a": text}]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Ref": "Table"}, "!Ref Table"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "!GetAtt Table.Arn"),
        ({"Fn::Sub": "a${B}"}, '!Sub "a${B}"'),
    ],
)
def test_references_are_written_short(value, text):
    assert dump({"a": value}) == f"a: {text}\n"
    assert parsed(dump({"a": [value, value]})) == {"a": [value, value]}


def test_it_looks_the_way_people_write_it():
    value = {"a": {"b": ["c", 1, True], "d": [{"e": {}, "f": []}, ["g"]]}, "h": None}
    assert dump(value) == "a:\n  b: [c, 1, true]\n  d:\n    - e: {}\n      f: []\n    - [g]\nh: null\n"
