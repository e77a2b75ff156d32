def test_it_texts_the_owner_when_a_room_is_hotter_than_30_degrees(platform):
    platform.mqtt("sensors/attic/temperature", {"celsius": 34.2})
    assert platform.texts == [("owner", "It is 34.2 °C in the attic!")]


def test_30_degrees_are_not_too_hot(platform):
    platform.mqtt("sensors/attic/temperature", {"celsius": 30})
    assert platform.texts == []


def test_it_texts_once_an_hour_for_each_room_and_says_how_many_were_suppressed(platform):
    for celsius in (31, 32, 33):
        platform.mqtt("sensors/attic/temperature", {"celsius": celsius})
    platform.mqtt("sensors/kitchen/temperature", {"celsius": 35})
    platform.advance(hours=1)
    platform.mqtt("sensors/attic/temperature", {"celsius": 34})
    assert platform.texts == [
        ("owner", "It is 31 °C in the attic!"),
        ("owner", "It is 35 °C in the kitchen!"),
        ("owner", "It is 34 °C in the attic! (2 more suppressed)"),
    ]
