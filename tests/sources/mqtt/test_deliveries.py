"""When a message is one that came before, and when it only looks like it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import pytest

from botplatform.sources.mqtt.deliveries import Deliveries, Delivery, Standing
from botplatform.sources.mqtt.message import Message

DOOR = Message("home/door", b"open", qos=1, retain=False, duplicate=False, packet_id=7)
DOOR_AGAIN = DOOR._replace(duplicate=True)
NOTHING_KEPT = Standing()


def deliveries(kept: Iterable[Delivery] = (), standing: Standing = NOTHING_KEPT, prefix: str = "id") -> Deliveries:
    numbers = count(1)
    return Deliveries(kept, standing, lambda: f"{prefix}-{next(numbers)}")


def after_a_restart(kept: Iterable[Delivery], standing: Standing = NOTHING_KEPT) -> Deliveries:
    """What the next process knows when this was stored."""
    return deliveries(kept, standing, prefix="later")


def test_a_message_delivered_again_is_the_same_event() -> None:
    known = deliveries()

    assert known.identify(DOOR) == known.identify(DOOR_AGAIN) == known.identify(DOOR_AGAIN)


def test_a_message_delivered_again_to_the_next_process_is_the_same_event() -> None:
    delivery = deliveries().identify(DOOR)

    assert after_a_restart([delivery]).identify(DOOR_AGAIN) == delivery


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(DOOR, id="no DUP flag"),
        pytest.param(DOOR_AGAIN._replace(packet_id=8), id="another packet id"),
        pytest.param(DOOR_AGAIN._replace(payload=b"shut"), id="another payload"),
        pytest.param(DOOR_AGAIN._replace(topic="home/window"), id="another topic"),
        pytest.param(DOOR_AGAIN._replace(topic="home/dooro", payload=b"pen"), id="the same bytes, cut elsewhere"),
    ],
)
def test_what_differs_is_another_event(other: Message) -> None:
    known = deliveries()

    assert known.identify(DOOR).event_id != known.identify(other).event_id


def test_a_message_sent_before_and_never_received_is_a_new_event_and_is_known_from_then_on() -> None:
    known = deliveries()
    delivery = known.identify(DOOR_AGAIN)

    assert known.identify(DOOR_AGAIN) == delivery


def test_a_new_message_takes_the_place_of_an_earlier_one_with_its_packet_id() -> None:
    known = deliveries()
    first = known.identify(DOOR)
    second = known.identify(DOOR)

    assert known.identify(DOOR_AGAIN) == second
    assert first.place == second.place
    assert after_a_restart([second]).identify(DOOR_AGAIN) == second


def test_of_two_that_are_kept_of_a_packet_id_the_later_one_counts() -> None:
    known = deliveries()
    first = known.identify(DOOR)
    known.confirmed([7])
    known.identify(DOOR._replace(packet_id=8))  # it takes the place, but is not kept yet
    second = known.identify(DOOR)

    assert after_a_restart([second, first]).identify(DOOR_AGAIN) == second


def test_a_confirmed_message_is_forgotten() -> None:
    known = deliveries()
    delivery = known.identify(DOOR)
    known.confirmed([7, 8])

    assert known.identify(DOOR_AGAIN).event_id != delivery.event_id


def test_the_next_process_knows_which_of_those_kept_were_confirmed() -> None:
    known = deliveries()
    first, second, third = (known.identify(DOOR._replace(packet_id=number)) for number in (1, 2, 3))
    known.confirmed([1, 3])
    standing = known.standing
    fourth = known.identify(DOOR._replace(packet_id=4))

    later = after_a_restart([first, second, third, fourth], standing)
    again = [later.identify(DOOR_AGAIN._replace(packet_id=number)).event_id for number in (1, 2, 3, 4)]
    assert again == ["later-1", second.event_id, "later-2", fourth.event_id]


def test_places_of_what_was_confirmed_serve_again() -> None:
    known = deliveries()
    places = set()
    for packet_id in range(1, 1000):
        places.add(known.identify(DOOR._replace(packet_id=packet_id)).place)
        if packet_id > 10:
            known.confirmed([packet_id - 10])

    assert len(places) == 11


def test_the_next_process_overwrites_nothing_that_counts() -> None:
    known = deliveries()
    kept = [known.identify(DOOR._replace(packet_id=number)) for number in (1, 2, 3)]
    known.confirmed([2])

    later = after_a_restart(kept, known.standing)
    places = [later.identify(DOOR._replace(packet_id=number)).place for number in (4, 5)]
    assert places == [kept[1].place, 3]


def test_numbers_go_on_in_the_next_process() -> None:
    known = deliveries()
    delivery = known.identify(DOOR)
    known.confirmed([7])

    later = after_a_restart([], known.standing)
    assert later.identify(DOOR).number == delivery.number + 1
    assert after_a_restart([delivery]).identify(DOOR).number == delivery.number + 1


def test_without_a_session_nothing_is_remembered() -> None:
    known = deliveries()
    delivery = known.identify(DOOR)
    known.reset()

    assert after_a_restart([delivery], known.standing).identify(DOOR_AGAIN).event_id == "later-1"
    assert known.identify(DOOR_AGAIN).event_id != delivery.event_id


def test_a_message_of_a_lost_session_that_is_kept_late_does_not_overwrite_what_took_its_packet_id() -> None:
    known = deliveries()
    late = known.identify(DOOR)
    known.reset()
    shut = known.identify(DOOR._replace(payload=b"shut"))

    assert shut.place != late.place
    later = after_a_restart([late, shut], known.standing)
    assert later.identify(DOOR_AGAIN._replace(payload=b"shut")) == shut
