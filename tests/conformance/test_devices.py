"""Devices on MQTT, on every stage."""

from __future__ import annotations

from tests.conformance.stage import Stage
from tests.mosquitto import eventually


def test_one_message_reaches_every_plugin_that_listens(stage: Stage) -> None:
    stage.mqtt("sensors/hall/temperature", {"celsius": 18.25})
    stage.settle()
    assert stage.state("room_temperature") == {"hall": 18.25}
    assert stage.state("morning_digest") == {"hall": [18.25, 18.25]}


def test_a_message_delivered_twice_texts_once(stage: Stage) -> None:
    for _ in range(2):
        stage.mqtt("sensors/attic/temperature", {"celsius": 34.2}, id="reading-1")
        stage.settle()
    assert stage.texts() == ["It is 34.2 °C in the attic!"]


def test_a_second_text_about_the_same_room_is_suppressed_within_the_hour(stage: Stage) -> None:
    for celsius in (34.2, 34.6):
        stage.mqtt("sensors/attic/temperature", {"celsius": celsius})
        stage.settle()
    assert stage.texts() == ["It is 34.2 °C in the attic!"]
    warned = [handler for entry in stage.log() for handler in entry["handlers"] if handler["handler"] == "too_hot.warn"]
    assert sorted(len(handler["suppressed"]) for handler in warned) == [0, 1]


def test_a_payload_that_is_no_json_reaches_the_plugin_as_bytes(stage: Stage) -> None:
    stage.mqtt("locks/back-door/state", b"locked")
    stage.settle()
    assert stage.state("door_lock") == {"back-door": "locked"}


def test_what_a_device_repeats_under_its_own_id_counts_once(stage: Stage) -> None:
    for report, kwh in ((1, 100), (1, 100), (2, 40)):
        stage.mqtt("meters/cellar/report", {"report": report, "kwh": kwh})
        stage.settle()
    assert stage.state("meter_total") == {"cellar": 140}


def test_a_text_that_nothing_else_would_suppress_goes_out_once_however_often_its_message_comes(stage: Stage) -> None:
    for report in (1, 1, 2):
        stage.mqtt("meters/cellar/report", {"report": report, "kwh": 5000 + report})
        stage.settle()
    assert stage.texts() == ["5001 kWh in the cellar!", "5002 kWh in the cellar!"]


def test_a_poisonous_message_ends_as_a_dead_letter_of_each_plugin_and_stops_nobody(stage: Stage) -> None:
    stage.mqtt("sensors/cellar/temperature", "ERR 7")
    stage.mqtt("sensors/hall/temperature", {"celsius": 18})
    stage.settle()
    eventually(lambda: len(stage.dead_letters()) == 3)
    reasons = dict(stage.dead_letters())
    assert sorted(reasons) == ["morning_digest.collect", "room_temperature.remember", "too_hot.warn"]
    assert all(reasons.values())
    assert stage.state("room_temperature") == {"hall": 18}


def test_a_topic_nobody_listens_to_does_nothing(stage: Stage) -> None:
    stage.mqtt("appliances/washing-machine/power", {"watts": 1900})
    stage.settle()
    assert [entry["verdict"] for entry in stage.log()] == (["unmatched"] if stage.hears("mqtt") else [])
