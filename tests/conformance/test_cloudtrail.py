"""CloudTrail, on every stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conformance.stage import Stage

EVENTS = Path(__file__).parents[2] / "events" / "cloudtrail"


def record(name: str) -> Any:
    return json.loads((EVENTS / name).read_bytes())


def test_what_root_does_texts_the_owner_once_however_often_it_is_delivered(stage: Stage) -> None:
    for _ in range(2):
        stage.cloudtrail(record("root-signs-in.json"))
        stage.settle()
    [text] = stage.texts()
    assert text == "Root of AWS account 111122223333 signed in from 203.0.113.7."


def test_what_others_do_concerns_nobody(stage: Stage) -> None:
    stage.cloudtrail(record("alice-signs-in.json"))
    stage.settle()
    assert stage.texts() == []
    assert [entry["verdict"] for entry in stage.log()] == (["unmatched"] if stage.hears("cloudtrail") else [])
