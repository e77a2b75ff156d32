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


def identified(known: Deliveries, message: Message) -> Delivery:
    """The delivery of a message that comes alone."""
    [delivery] = known.identify([message])[1]
    return delivery


def after_a_restart(kept: Iterable[Delivery], standing: Standing = NOTHING_KEPT) -> Deliveries:
    """What the next process knows when this was stored."""
    return deliveries(kept, standing, prefix="later")


def test_a_message_delivered_again_is_the_same_event() -> None:
    known = deliveries()

    assert identified(known, DOOR) == identified(known, DOOR_AGAIN) == identified(known, DOOR_AGAIN)


def test_a_message_delivered_again_to_the_next_process_is_the_same_event() -> None:
    delivery = identified(deliveries(), DOOR)

    assert identified(after_a_restart([delivery]), DOOR_AGAIN) == delivery


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

    assert identified(known, DOOR).event_id != identified(known, other).event_id


def test_a_message_sent_before_and_never_received_is_a_new_event_and_is_known_from_then_on() -> None:
    known = deliveries()
    delivery = identified(known, DOOR_AGAIN)

    assert identified(known, DOOR_AGAIN) == delivery


def test_a_new_message_counts_instead_of_an_earlier_one_with_its_packet_id_whose_place_serves_again() -> None:
    known = deliveries()
    first, second, third = (identified(known, DOOR) for _ in range(3))

    assert identified(known, DOOR_AGAIN) == third
    assert first.place == third.place
    assert identified(after_a_restart([third, second]), DOOR_AGAIN) == third


def test_of_two_that_are_kept_of_a_packet_id_the_later_one_counts() -> None:
    known = deliveries()
    first = identified(known, DOOR)
    known.confirmed([7])
    identified(known, DOOR._replace(packet_id=8))  # it takes the place, but is not kept yet
    second = identified(known, DOOR)

    assert identified(after_a_restart([second, first]), DOOR_AGAIN) == second


def test_a_confirmed_message_is_forgotten() -> None:
    known = deliveries()
    delivery = identified(known, DOOR)
    known.confirmed([7, 8])

    assert identified(known, DOOR_AGAIN).event_id != delivery.event_id


def test_the_next_process_knows_which_of_those_kept_were_confirmed() -> None:
    known = deliveries()
    first, second, third = (identified(known, DOOR._replace(packet_id=number)) for number in (1, 2, 3))
    known.confirmed([1, 3])
    standing = known.standing
    fourth = identified(known, DOOR._replace(packet_id=4))

    later = after_a_restart([first, second, third, fourth], standing)
    again = [identified(later, DOOR_AGAIN._replace(packet_id=number)).event_id for number in (1, 2, 3, 4)]
    assert again == ["later-1", second.event_id, "later-2", fourth.event_id]


def test_messages_that_come_together_share_a_place_which_serves_again_when_none_of_them_counts() -> None:
    known = deliveries()
    place, together = known.identify([DOOR._replace(packet_id=number) for number in (1, 2, 3)])
    assert [delivery.place for delivery in together] == [place] * 3

    known.confirmed([1, 2])
    following = identified(known, DOOR._replace(packet_id=4))
    known.confirmed([3])
    assert following.place != place
    assert identified(known, DOOR._replace(packet_id=5)).place == place


def test_what_comes_again_among_new_messages_stays_in_its_place() -> None:
    known = deliveries()
    first = identified(known, DOOR)
    place, [again, new] = known.identify([DOOR_AGAIN, DOOR._replace(packet_id=8)])

    assert again == first
    assert new.place == place != first.place


def test_of_two_that_come_together_with_one_packet_id_the_later_counts_and_keeps_the_place() -> None:
    known = deliveries()
    place, [_, later] = known.identify([DOOR, DOOR])

    assert identified(known, DOOR_AGAIN) == later
    assert identified(known, DOOR._replace(packet_id=8)).place != place


def test_a_message_of_qos_0_is_kept_nowhere_and_never_comes_again() -> None:
    known = deliveries()
    place, [first, second] = known.identify([DOOR._replace(qos=0, packet_id=0)] * 2)

    assert first.event_id != second.event_id
    assert place not in (first.place, second.place)
    assert known.standing.open == ()


def test_places_of_what_was_confirmed_serve_again() -> None:
    known = deliveries()
    places = set()
    for packet_id in range(1, 1000):
        places.add(identified(known, DOOR._replace(packet_id=packet_id)).place)
        if packet_id > 10:
            known.confirmed([packet_id - 10])

    assert len(places) == 11


def test_the_next_process_overwrites_nothing_that_counts() -> None:
    known = deliveries()
    kept = [identified(known, DOOR._replace(packet_id=number)) for number in (1, 2, 3)]
    known.confirmed([2])

    later = after_a_restart(kept, known.standing)
    places = [identified(later, DOOR._replace(packet_id=number)).place for number in (4, 5)]
    assert places == [kept[1].place, 3]


def test_the_place_of_what_another_one_replaced_serves_again_in_the_next_process() -> None:
    known = deliveries()
    replaced, later = (identified(known, DOOR) for _ in range(2))

    following = identified(after_a_restart([replaced, later]), DOOR._replace(packet_id=8))
    assert following.place == replaced.place != later.place


def test_numbers_go_on_in_the_next_process() -> None:
    known = deliveries()
    delivery = identified(known, DOOR)
    known.confirmed([7])

    later = after_a_restart([], known.standing)
    assert identified(later, DOOR).number == delivery.number + 1
    assert identified(after_a_restart([delivery]), DOOR).number == delivery.number + 1


def test_without_a_session_nothing_is_remembered() -> None:
    known = deliveries()
    delivery = identified(known, DOOR)
    known.reset()

    assert identified(after_a_restart([delivery], known.standing), DOOR_AGAIN).event_id == "later-1"
    assert identified(known, DOOR_AGAIN).event_id != delivery.event_id


def test_a_message_of_a_lost_session_that_is_kept_late_does_not_overwrite_what_took_its_packet_id() -> None:
    known = deliveries()
    late = identified(known, DOOR)
    known.reset()
    shut = identified(known, DOOR._replace(payload=b"shut"))

    assert shut.place != late.place
    later = after_a_restart([late, shut], known.standing)
    assert identified(later, DOOR_AGAIN._replace(payload=b"shut")) == shut
