import pytest

from botplatform import Rejected


def test_it_posts_how_cold_and_how_warm_every_room_was(platform):
    for celsius in (21, 17.5, 19):
        platform.mqtt("sensors/kitchen/temperature", {"celsius": celsius})
    platform.mqtt("sensors/attic/temperature", {"celsius": 12})
    platform.tick("morning_digest")
    digest = "Good morning!\nattic: 12 to 12 °C\nkitchen: 17.5 to 21 °C"
    assert platform.slack_messages == [("#home", digest)]


def test_a_day_begins_with_no_readings(platform):
    platform.mqtt("sensors/kitchen/temperature", {"celsius": 21})
    platform.tick("morning_digest")
    platform.advance(days=1)
    platform.tick("morning_digest")
    assert platform.slack_messages[1:] == [("#home", "Good morning! No readings since yesterday.")]


def test_a_tick_delivered_twice_posts_once(platform):
    platform.tick("morning_digest.post")
    platform.tick("morning_digest.post")
    assert len(platform.slack_messages) == 1


def test_it_posts_nothing_before_the_morning(platform):
    platform.mqtt("sensors/kitchen/temperature", {"celsius": 21})
    assert platform.slack_messages == []


def test_a_reading_that_is_no_number_spoils_nothing(platform):
    with pytest.raises(Rejected, match="does not fit its schema"):
        platform.mqtt("sensors/kitchen/temperature", {"celsius": "21"})
    assert platform.state("morning_digest") == {}


def test_a_broken_thermometer_spoils_nothing(platform):
    with pytest.raises(Rejected, match="is not JSON"):
        platform.mqtt("sensors/kitchen/temperature", "ERR 7")
    assert platform.state("morning_digest") == {}
