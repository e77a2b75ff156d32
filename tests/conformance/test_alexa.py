"""Alexa, on every stage."""

from __future__ import annotations

from datetime import UTC, datetime

from botplatform.hosts.local.simulate import alexa_intent, alexa_request
from tests.conformance.stage import Stage
from tests.mosquitto import eventually

OTHER_SKILL = "amzn1.ask.skill.ffffffff-ffff-ffff-ffff-ffffffffffff"


def intent(name: str, **slots: str) -> bytes:
    return alexa_intent(name, slots, datetime.now(UTC))


def test_a_question_is_answered_from_what_a_device_reported(stage: Stage) -> None:
    stage.mqtt("locks/garden-door/state", "unlocked")
    stage.settle()
    assert stage.alexa(intent("DoorIntent", door="garden door")).text == "The garden door is unlocked."


def test_a_request_sent_twice_acts_once_and_is_answered_twice(stage: Stage) -> None:
    request = intent("UnlockIntent", door="garden door")
    answers = [stage.alexa(request).text for _ in range(2)]
    stage.settle()
    eventually(stage.published)
    assert answers == ["I told the garden door to be unlocked."] * 2
    assert stage.published() == [("locks/garden-door/set", "unlocked")]


def test_a_launch_that_no_plugin_handles_is_answered_all_the_same(stage: Stage) -> None:
    answer = stage.alexa(alexa_request({"type": "LaunchRequest"}, datetime.now(UTC)))
    assert answer.status == 200
    assert answer.text


def test_a_request_of_another_skill_is_refused(stage: Stage) -> None:
    answer = stage.alexa(alexa_request({"type": "LaunchRequest"}, datetime.now(UTC), skill=OTHER_SKILL))
    stage.settle()
    assert answer.status >= 400
    assert "skill" in answer.text
    assert {entry["verdict"] for entry in stage.log()} <= {"rejected"}
