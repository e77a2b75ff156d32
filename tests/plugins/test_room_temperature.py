def test_it_answers_in_slack_what_a_thermometer_said(platform):
    platform.mqtt("sensors/kitchen/temperature", {"celsius": 21.5})
    assert platform.slack("/temp kitchen") == "It is 21.5 °C in the kitchen."


def test_it_answers_on_alexa_too(platform):
    platform.mqtt("sensors/kitchen/temperature", {"celsius": 21.5})
    assert platform.alexa.intent("TemperatureIntent", room="Kitchen") == "It is 21.5 °C in the kitchen."


def test_a_room_nobody_measured_has_no_reading(platform):
    assert platform.slack("/temp attic") == "No reading yet."


def test_the_room_is_asked_for(platform):
    assert platform.slack("/temp") == "Usage: /temp {room}"


def test_a_payload_of_another_shape_is_refused_with_the_reason(platform):
    import pytest

    with pytest.raises(Exception, match=r"sensors/kitchen/temperature does not fit its schema: Expected `float`"):
        platform.mqtt("sensors/kitchen/temperature", {"celsius": "warm"})
