"""Every file in events/ is what its source makes of it, and a CloudEvent by everybody's measure."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cloudevents.http import from_json
from jsonschema import Draft7Validator

from botplatform.event import Event
from botplatform.hosts.records import recognized
from botplatform.plugins import Plugins
from botplatform.router import Router
from botplatform.source import Raw
from tests.plugin_files import load

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "events").glob("*/*"))
ENVELOPES = ROOT / "fixtures" / "envelopes"
SOURCES = Plugins().sources

every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")


def expected(sample: Path) -> Path:
    """Where the envelopes of a sample are: what `botplatform normalize` printed, once it was read through."""
    return ENVELOPES / sample.parent.name / f"{sample.name.split('.')[0]}.jsonl"


def normalized(sample: Path) -> list[Event]:
    """The events in a sample, none of which may be refused."""
    raw = Raw(sample.read_bytes())
    events = list(recognized(SOURCES, raw).normalize(raw))
    assert all(isinstance(event, Event) for event in events), events
    return events  # type: ignore[return-value]


def envelopes(sample: Path) -> list[dict[str, Any]]:
    return [json.loads(event.to_json()) for event in normalized(sample)]


@every_sample
def test_a_sample_is_recognized_as_of_the_source_it_lies_under(sample: Path) -> None:
    assert recognized(SOURCES, Raw(sample.read_bytes())).name == sample.parent.name


@every_sample
def test_a_sample_becomes_the_envelopes_written_down_for_it(sample: Path) -> None:
    assert envelopes(sample) == [json.loads(line) for line in expected(sample).read_text().splitlines()]


def test_no_envelopes_are_left_of_a_sample_that_is_gone() -> None:
    assert set(ENVELOPES.glob("*/*")) == {expected(sample) for sample in SAMPLES}


@every_sample
def test_a_sample_has_the_attributes_every_cloudevent_has(sample: Path) -> None:
    for envelope in envelopes(sample):
        assert envelope["specversion"] == "1.0"
        assert all(isinstance(envelope[name], str) and envelope[name] for name in ("id", "source", "type"))
        assert all(re.fullmatch("[a-z0-9]+", name) for name in envelope.keys() - {"data_base64"})
        assert None not in envelope.values()


@every_sample
def test_a_sample_is_valid_against_the_cloudevents_schema(sample: Path, envelope_schema: Draft7Validator) -> None:
    for envelope in envelopes(sample):
        envelope_schema.validate(envelope)


@every_sample
def test_a_sample_is_read_back_by_the_official_sdk(sample: Path) -> None:
    for event in normalized(sample):
        read = from_json(event.to_json())
        assert (read["id"], read["source"], read["type"]) == (event.id, event.source, event.type)
        assert read.get_data() == event.data


@every_sample
def test_a_sample_read_twice_is_the_same_event(sample: Path) -> None:
    assert [(e.source, e.id) for e in normalized(sample)] == [(e.source, e.id) for e in normalized(sample)]


@every_sample
def test_a_sample_belongs_to_its_source(sample: Path) -> None:
    for event in normalized(sample):
        owners = [source.name for source in SOURCES.values() if source.owns(event)] or ["cloudevents"]
        assert owners == [sample.parent.name]


@every_sample
def test_the_handler_suggested_for_a_sample_would_hear_of_it(sample: Path, tmp_path: Path) -> None:
    imports = "from botplatform import Context, Event, Reply, alexa, cloudevents, cloudtrail, mqtt, schedule, slack\n"
    for number, event in enumerate(normalized(sample)):
        # A schedule is named after its plugin and function.
        name = (event.subject or "").split(".")[0] if sample.parent.name == "schedule" else "suggested"
        plugins = load(tmp_path / str(number), **{name: imports + SOURCES[sample.parent.name].suggest(event)})
        assert not plugins.mistakes
        assert Router(plugins.handlers).route(event)


@pytest.mark.parametrize("source", SOURCES)
def test_a_suggestion_is_python_whatever_an_event_is_about(source: str) -> None:
    strange = "a\"b\\c\nd'e/f"
    compile(SOURCES[source].suggest(Event(type=strange, subject=strange, data={"eventName": strange})), source, "exec")
