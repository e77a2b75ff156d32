"""What AWS answered, what event-ruler found in real CloudTrail records, and what paho says of topics."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botplatform.patterns.errors import PatternError
from botplatform.patterns.index import Index
from botplatform.patterns.match import Pattern
from botplatform.patterns.parse import compile
from botplatform.patterns.topics import Topic

DETAIL_TYPES = {
    "AwsConsoleSignIn": "AWS Console Sign In via CloudTrail",
    "AwsServiceEvent": "AWS Service Event via CloudTrail",
}


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def answer(case: dict[str, Any]) -> str:
    try:
        pattern = compile(case["pattern_raw"] if "pattern_raw" in case else case["pattern"])
    except PatternError:
        return "error"
    return "match" if pattern.matches(case["event"]) else "no_match"


def test_every_pattern_gets_the_answer_aws_gave(shared_data: Path) -> None:
    cases = json_lines(shared_data / "oracles" / "event-patterns" / "cases.jsonl")
    assert len(cases) == 76
    wrong = {case["name"]: answer(case) for case in cases if answer(case) != case["expected"]}
    assert wrong == {}


def test_text_and_objects_compile_to_the_same_answers(shared_data: Path) -> None:
    cases = json_lines(shared_data / "oracles" / "event-patterns" / "cases.jsonl")
    for case in cases:
        as_text = {**case, "pattern_raw": case.get("pattern_raw", json.dumps(case.get("pattern")))}
        assert answer(as_text) == case["expected"], case["name"]


def records(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()).decode()
    if not text.lstrip().startswith("["):
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
        whole: list[dict[str, Any]] = lines[0].get("Records", lines)
        return whole
    listed: list[dict[str, Any]] = json.loads(text)
    return listed


def as_eventbridge(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": "aws." + record["eventSource"].split(".")[0],
        "detail-type": DETAIL_TYPES.get(record.get("eventType", ""), "AWS API Call via CloudTrail"),
        "detail": record,
    }


def cloudtrail(shared_data: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for path in sorted((shared_data / "cloudtrail").glob("*/*.json.gz")):
        for index, record in enumerate(records(path)):
            yield path.relative_to(shared_data).as_posix(), index, as_eventbridge(record)


def cloudtrail_patterns(shared_data: Path) -> dict[str, Pattern]:
    written = json.loads((shared_data / "oracles" / "event-patterns" / "cloudtrail-patterns.json").read_text())
    return {name: compile(pattern) for name, pattern in written.items()}


def test_the_index_finds_exactly_the_hits_event_ruler_found_in_cloudtrail(shared_data: Path) -> None:
    index: Index[str] = Index()
    for name, pattern in cloudtrail_patterns(shared_data).items():
        index.add(name, pattern)
    found = {(name, path, number) for path, number, event in cloudtrail(shared_data) for name, _ in index.match(event)}
    hits = json_lines(shared_data / "oracles" / "event-patterns" / "cloudtrail-hits.jsonl")
    assert len(hits) == 149
    assert found == {(hit["pattern"], hit["path"], hit["index"]) for hit in hits}


def test_every_cloudtrail_record_is_either_matched_or_explained(shared_data: Path) -> None:
    patterns = cloudtrail_patterns(shared_data).values()
    for _, _, event in cloudtrail(shared_data):
        for pattern in patterns:
            assert pattern.matches(event) == (pattern.explain(event) is None)


def test_topics_match_filters_as_paho_does(shared_data: Path) -> None:
    cases = json_lines(shared_data / "oracles" / "mqtt-topics" / "paho-python-match.jsonl")
    assert len(cases) == 20
    for case in cases:
        topic = Topic.parse(case["filter"])
        assert (topic.match(case["topic"]) is not None) == (case["expected"] == "match"), case
        assert topic.filter == case["filter"]


def test_the_index_finds_topics_as_paho_does(shared_data: Path) -> None:
    cases = json_lines(shared_data / "oracles" / "mqtt-topics" / "paho-python-match.jsonl")
    for case in cases:
        index: Index[str] = Index()
        index.add_topic("it", Topic.parse(case["filter"]))
        assert bool(index.match({}, case["topic"])) == (case["expected"] == "match"), case


@pytest.mark.parametrize("template", ["sensors/+", "a/#", "plain"])
def test_a_plain_filter_captures_nothing(template: str) -> None:
    assert Topic.parse(template).names == ()
