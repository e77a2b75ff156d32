import pytest


@pytest.mark.parametrize(("command", "wanted"), [("/lock", "locked"), ("/unlock", "unlocked")])
def test_it_asks_the_door_from_slack(platform, command, wanted):
    assert platform.slack(f"{command} front door") == f"I told the front door to be {wanted}."
    assert platform.published == [("locks/front-door/set", wanted)]


@pytest.mark.parametrize(("intent", "wanted"), [("LockIntent", "locked"), ("UnlockIntent", "unlocked")])
def test_it_asks_the_door_on_alexa(platform, intent, wanted):
    assert platform.alexa.intent(intent, door="Front door") == f"I told the Front door to be {wanted}."
    assert platform.published == [("locks/front-door/set", wanted)]


def test_a_door_that_is_locked_is_not_asked_again(platform):
    platform.mqtt("locks/front-door/state", "locked")
    assert platform.slack("/lock front door") == "The front door is locked already."
    assert platform.published == []


def test_it_tells_what_a_door_reported_last(platform):
    platform.mqtt("locks/front-door/state", "locked")
    platform.mqtt("locks/front-door/state", "unlocked")
    assert platform.slack("/door front door") == "The front door is unlocked."
    assert platform.alexa.intent("DoorIntent", door="front door") == "The front door is unlocked."


def test_a_door_nobody_heard_of_has_not_reported(platform):
    platform.mqtt("locks/front-door/state", "locked")
    assert platform.slack("/door garage") == "The garage has not reported yet."


def test_the_door_is_asked_for(platform):
    assert platform.slack("/lock") == "Usage: /lock {door}"
    assert platform.published == []
