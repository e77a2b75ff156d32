"""When a message is one that came before, and when it only looks like it."""

from __future__ import annotations

from itertools import count

import pytest

from botplatform.sources.mqtt.deliveries import Deliveries
from botplatform.sources.mqtt.message import Message

DOOR = Message("home/door", b"open", qos=1, retain=False, duplicate=False, packet_id=7)
DOOR_AGAIN = DOOR._replace(duplicate=True)


def deliveries(remembered: dict[int, tuple[str, str]] | None = None, prefix: str = "id") -> Deliveries:
    numbers = count(1)
    return Deliveries(remembered or {}, lambda: f"{prefix}-{next(numbers)}")


def after_a_restart(earlier: Deliveries, message: Message) -> Deliveries:
    """What the next process knows when only the record of this message was stored."""
    record = earlier.record(message)
    assert record is not None
    return deliveries({record.packet_id: (record.digest, record.event_id)}, prefix="later")


def test_a_message_delivered_again_is_the_same_event() -> None:
    known = deliveries()

    assert known.identify(DOOR) == known.identify(DOOR_AGAIN) == known.identify(DOOR_AGAIN)


def test_a_message_delivered_again_to_the_next_process_is_the_same_event() -> None:
    earlier = deliveries()
    id = earlier.identify(DOOR)

    assert after_a_restart(earlier, DOOR).identify(DOOR_AGAIN) == id


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

    assert known.identify(DOOR) != known.identify(other)


def test_a_message_sent_before_and_never_received_is_a_new_event_and_is_known_from_then_on() -> None:
    known = deliveries()
    id = known.identify(DOOR_AGAIN)

    assert known.identify(DOOR_AGAIN) == id


def test_a_new_message_takes_the_place_of_an_earlier_one_with_its_packet_id() -> None:
    known = deliveries()
    known.identify(DOOR)
    second = known.identify(DOOR)

    assert known.identify(DOOR_AGAIN) == second


def test_each_message_of_qos_0_is_a_new_event() -> None:
    known = deliveries()
    message = DOOR._replace(qos=0, packet_id=0)

    assert known.identify(message) != known.identify(message)
    assert known.record(message) is None


def test_a_confirmed_message_is_forgotten_and_its_record_is_to_be_deleted() -> None:
    known = deliveries()
    id = known.identify(DOOR)

    assert known.confirmed([7, 8]) == [7]
    assert known.confirmed([7, 8]) == []
    assert known.identify(DOOR_AGAIN) != id


def test_without_a_session_nothing_is_remembered() -> None:
    known = deliveries({3: ("digest", "old")})
    id = known.identify(DOOR)

    assert known.reset() == [3, 7]
    assert known.record(DOOR) is None
    assert known.identify(DOOR_AGAIN) != id


def test_a_message_of_a_lost_session_does_not_overwrite_what_took_its_packet_id() -> None:
    known = deliveries()
    known.identify(DOOR)
    known.reset()
    known.identify(DOOR._replace(payload=b"shut"))

    assert known.record(DOOR) is None
