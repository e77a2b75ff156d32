"""Slack, on every stage."""

from __future__ import annotations

import time

from botplatform.hosts.local.simulate import slack_command
from tests.conformance.happenings import command_answered_at, mention
from tests.conformance.stage import Stage
from tests.mosquitto import eventually


def test_a_command_is_answered_from_what_a_device_reported(stage: Stage) -> None:
    stage.mqtt("sensors/kitchen/temperature", {"celsius": 21.5})
    stage.settle()
    answer = stage.slack(slack_command("/temp kitchen"))
    assert (answer.status, answer.text) == (200, "It is 21.5 °C in the kitchen.")


def test_a_command_sent_twice_acts_once_and_is_answered_twice(stage: Stage) -> None:
    command = slack_command("/lock front door")
    answers = [stage.slack(command).text for _ in range(2)]
    stage.settle()
    eventually(stage.published)
    assert answers == ["I told the front door to be locked."] * 2
    assert stage.published() == [("locks/front-door/set", "locked")]


def test_help_lists_every_plugin(stage: Stage) -> None:
    summaries = stage.slack(slack_command("/help")).text
    for summary in ("Locks and unlocks doors", "Texts the owner when a room", "how warm is it", "Adds up what meters"):
        assert summary in summaries


def test_a_mention_is_answered_in_its_channel_once_however_often_it_comes(stage: Stage) -> None:
    for _ in range(2):
        assert stage.slack(mention("C0GARDEN")).status == 200
    stage.settle()
    [(channel, text)] = stage.slack_messages()
    assert channel == "C0GARDEN"
    assert "Locks and unlocks doors" in text


def test_a_command_nobody_knows_is_answered_with_what_there_is(stage: Stage) -> None:
    answer = stage.slack(slack_command("/coffee black"))
    assert answer.status == 200
    assert "/coffee" in answer.text


def test_a_handler_that_takes_longer_than_slack_waits_answers_later_and_commits_once(stage: Stage) -> None:
    late = stage.slack(command_answered_at(f"{stage.slack_url}/commands/1", "/slow"))
    assert late.text == "Still working on it …"
    eventually(stage.slack_messages, 40)
    stage.settle()
    assert stage.slack_messages() == [("/commands/1", "Answer 1 took its time.")]
    assert stage.state("slow_answer") == {"answers": 1}


def test_an_undeclared_effect_undoes_all_of_the_handler_and_says_what_to_declare(stage: Stage) -> None:
    answer = stage.slack(slack_command("/careless"))
    stage.settle()
    assert answer.text == "Sorry, that went wrong. It is in the log."
    assert stage.state("careless") == {}
    assert stage.texts() == []
    [(handler, reason)] = stage.dead_letters()
    assert handler == "careless.answer"
    assert "declare it with USES = ['text']" in reason


def test_what_slack_did_not_sign_is_refused(stage: Stage) -> None:
    forged = {"x-slack-request-timestamp": str(int(time.time())), "x-slack-signature": "v0=" + "0" * 64}
    for headers in ({}, forged):
        assert stage.slack(slack_command("/lock front door"), headers).status == 401
    stage.settle()
    assert {entry["verdict"] for entry in stage.log()} <= {"rejected"}
    assert stage.published() == []
