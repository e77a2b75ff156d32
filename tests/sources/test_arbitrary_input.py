"""Whatever bytes arrive, a source makes events of them or says why not; it never fails."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.plugins import Plugins
from botplatform.source import Raw, Source, masked

EVENTS = Path(__file__).resolve().parents[2] / "events"
HEADERS = st.sampled_from(["content-type", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-x"])
PIECES = [b"", b"null", b"-1", b"1e999", b'""', b"[]", b"{}", b"true", b'"\\ud800"', b"\xff", b"\0", b"%00", b"=", b"&"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)

every_source = pytest.mark.parametrize("source", Plugins().sources.values(), ids=lambda source: source.name)
quickly = settings(max_examples=200, deadline=None, database=None, derandomize=True)


def samples(source: Source) -> list[bytes]:
    bodies = [path.read_bytes() for path in sorted((EVENTS / source.name).glob("*"))]
    return [gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body for body in bodies]


@st.composite
def cut_up(draw: st.DrawFn, body: bytes) -> bytes:
    """Some stretches replaced by other bytes."""
    for _ in range(draw(st.integers(1, 3))):
        start, length = draw(st.integers(0, len(body))), draw(st.integers(0, 40))
        body = body[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=8)) + body[start + length :]
    return body


@st.composite
def altered(draw: st.DrawFn, body: bytes) -> bytes:
    """Some values, anywhere in the JSON, replaced by others or left out; a form stays a form."""
    if not body.startswith((b"{", b"[")):
        form = dict(parse_qsl(body.decode()))
        if "payload" not in form:
            return urlencode(draw(altered_value(form))).encode()
        return urlencode({"payload": json.dumps(draw(altered_value(json.loads(form["payload"]))))}).encode()
    return json.dumps(draw(altered_value(json.loads(body)))).encode()


@st.composite
def altered_value(draw: st.DrawFn, value: Any) -> Any:
    for _ in range(draw(st.integers(1, 3))):
        parent, key = value, None
        while isinstance(parent, dict | list) and parent:
            container, key = (
                parent,
                draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent)))),
            )
            parent = container[key]
            if draw(st.booleans()):
                break
        if key is None:
            continue
        if isinstance(container, dict) and draw(st.integers(0, 3)) == 0:
            del container[key]
        else:
            container[key] = draw(VALUES)
    return value


def check(source: Source, raw: Raw) -> None:
    """Everything that comes out is a valid event that can be written and shown, or a refusal with a reason."""
    for found in source.normalize(raw):
        if isinstance(found, Rejected):
            assert found.reason
            continue
        assert isinstance(found, Event)
        assert Event.from_json(found.to_json()) == found
        assert masked(found, source.secrets)
        source.reply_within(found)
        source.unmatched(found, [])
        source.suggest(found)


@every_source
@quickly
@given(body=st.binary(max_size=200), headers=st.dictionaries(HEADERS, st.sampled_from(["1.0", ""]) | st.text()))
def test_arbitrary_bytes_never_make_a_source_fail(source: Source, body: bytes, headers: dict[str, str]) -> None:
    check(source, Raw(body, headers))


@every_source
@quickly
@given(data=st.data())
def test_damaged_samples_never_make_a_source_fail(source: Source, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(samples(source)).flatmap(cut_up))
    check(source, Raw(body))
    check(source, Raw(gzip.compress(body)))


@every_source
@quickly
@given(data=st.data())
def test_samples_with_other_values_never_make_a_source_fail(source: Source, data: st.DataObject) -> None:
    check(source, Raw(data.draw(st.sampled_from(samples(source)).flatmap(altered))))
