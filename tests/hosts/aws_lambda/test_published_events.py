"""Every event that others published for testing Lambda functions is recognized, or refused with a clear sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botplatform.errors import Rejected
from botplatform.hosts.aws_lambda import calls, http
from botplatform.hosts.records import Piece, StoredFile, opened, recognized
from botplatform.plugins import Plugins

TABLE = dict(line.split("\t") for line in Path(__file__).with_name("published.tsv").read_text().splitlines())
SOURCES = Plugins().sources


def what_it_is(value: Any) -> str:
    """What a function would make of a call: who calls, and the sources of what it brings, or why it is refused."""
    try:
        call = calls.recognize(value)
    except Rejected as refused:
        return str(refused)
    if isinstance(call, http.Request):
        return "an HTTP request"
    if isinstance(call, calls.Question):
        return "a question of Alexa's"
    return "; ".join(dict.fromkeys(brought(piece) for piece in pieces(call)))


def pieces(call: calls.Call) -> Iterator[Piece]:
    if isinstance(call, calls.Notice):
        yield from call.pieces
    assert isinstance(call, calls.Batch | calls.Notice)
    for record in call.records if isinstance(call, calls.Batch) else ():
        yield from [record.refused] if record.refused else opened(record.body)


def brought(piece: Piece) -> str:
    if isinstance(piece, Rejected | StoredFile):
        return str(piece)
    try:
        source = recognized(SOURCES, piece)
    except Rejected as refused:
        return str(refused)
    return "; ".join(dict.fromkeys(str(e) if isinstance(e, Rejected) else source.name for e in source.normalize(piece)))


@pytest.mark.parametrize("file", TABLE)
def test_a_published_event_is_recognized_or_refused_by_name(file: str, shared_data: Path) -> None:
    value = json.loads((shared_data / "events" / file).read_text())

    assert what_it_is(value) == TABLE[file]


def test_every_published_event_is_in_the_table(shared_data: Path) -> None:
    folder = shared_data / "events"

    assert {str(path.relative_to(folder)) for path in folder.rglob("*.json")} == set(TABLE)


def test_a_smart_home_directive_of_version_3_is_refused_by_name() -> None:
    directive = {"directive": {"header": {"namespace": "Alexa.PowerController", "name": "TurnOn"}, "payload": {}}}

    assert what_it_is(directive) == "an Alexa Smart Home directive; only requests to custom skills are understood"
