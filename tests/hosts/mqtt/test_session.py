"""The order of acknowledgements, the news of their arrival, and which subscriptions are to change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from botplatform.hosts.mqtt.session import Acknowledgements, Subscriptions
from botplatform.sources.mqtt.message import Message

Acknowledge = Callable[[], None]


def receive(acknowledgements: Acknowledgements, *packet_ids: int) -> list[Acknowledge]:
    return acknowledgements.received([Message("t", b"", 1, False, False, packet_id) for packet_id in packet_ids])


def done(acknowledgements: Acknowledgements, receipt: Acknowledge) -> list[int]:
    receipt()
    return [message.packet_id for message in acknowledgements.due()]


def test_acknowledgements_leave_in_the_order_of_the_messages() -> None:
    window = Acknowledgements(lambda: None)
    first, second, third = receive(window, 1, 2, 3)

    assert [done(window, second), done(window, first), done(window, third)] == [[], [1, 2], [3]]


def test_whoever_acknowledges_is_heard_of() -> None:
    told = list[str]()
    window = Acknowledgements(lambda: told.append("one is done"))
    for receipt in receive(window, 1, 2):
        receipt()

    assert told == ["one is done"] * 2
    assert [message.packet_id for message in window.due()] == [1, 2]


def test_a_message_of_qos_0_has_no_acknowledgement_and_holds_none_up() -> None:
    window = Acknowledgements(lambda: None)
    of_qos_0, of_qos_1 = window.received([Message("t", b"", qos, False, False, qos) for qos in (0, 1)])
    of_qos_0()

    assert window.due() == []
    assert done(window, of_qos_1) == [1]


def test_a_second_acknowledgement_says_nothing_of_the_next_message_with_the_same_packet_id() -> None:
    window = Acknowledgements(lambda: None)
    [receipt] = receive(window, 1)
    done(window, receipt)
    receive(window, 1)

    assert done(window, receipt) == []


def test_an_answer_confirms_what_left_before_the_question() -> None:
    window = Acknowledgements(lambda: None)
    before, after = receive(window, 1, 2)
    done(window, before)
    window.asked()
    done(window, after)

    assert window.answered() == [1]
    assert window.worth_asking


def test_questions_are_answered_in_their_order() -> None:
    window = Acknowledgements(lambda: None)
    first, second = receive(window, 1, 2)
    for receipt in (first, second):
        done(window, receipt)
        window.asked()

    assert [window.answered(), window.answered(), window.answered()] == [[1], [2], []]


def test_a_packet_id_in_use_again_is_not_confirmed_for_the_earlier_message() -> None:
    window = Acknowledgements(lambda: None)
    [receipt] = receive(window, 1)
    done(window, receipt)
    window.asked()
    receive(window, 1)

    assert window.answered() == []


def test_it_is_worth_asking_only_when_something_left_and_no_answer_is_awaited() -> None:
    window = Acknowledgements(lambda: None)
    first, second = receive(window, 1, 2)
    worth = [window.worth_asking]
    done(window, first)
    worth.append(window.worth_asking)
    window.asked()
    done(window, second)
    worth.append(window.worth_asking)

    assert worth == [False, True, False]


def session(held: list[str], wanted: dict[str, int], present: bool = True) -> Subscriptions:
    subscriptions = Subscriptions(held)
    subscriptions.want(wanted)
    subscriptions.connected(present)
    return subscriptions


@pytest.mark.parametrize(
    ("subscriptions", "leave", "join"),
    [
        pytest.param(session([], {"a": 1, "b": 0}), [], [{"a": 1, "b": 0}], id="new ones"),
        pytest.param(session(["a", "b"], {"b": 1}), [["a"]], [{"b": 1}], id="left over by an earlier process"),
        pytest.param(session(["a"], {"b": 1}, present=False), [], [{"b": 1}], id="left over in a lost session"),
    ],
)
def test_the_session_is_brought_to_what_is_wanted(
    subscriptions: Subscriptions, leave: list[list[str]], join: list[dict[str, int]]
) -> None:
    assert (subscriptions.to_leave(), subscriptions.to_join()) == (leave, join)


def test_what_was_asked_for_is_not_asked_for_again_unless_its_qos_changes() -> None:
    subscriptions = session([], {"a": 1, "b": 1})
    subscriptions.asked(1, ["a", "b"])
    subscriptions.want({"a": 0, "b": 1})

    assert subscriptions.to_join() == [{"a": 0}]


def test_a_connection_that_broke_before_the_answer_makes_us_ask_again() -> None:
    subscriptions = session([], {"a": 1})
    subscriptions.asked(1, ["a"])
    subscriptions.connected(session_present=True)

    assert subscriptions.to_join() == [{"a": 1}]


def test_after_the_answer_a_session_that_is_still_there_needs_nothing() -> None:
    subscriptions = session([], {"a": 1})
    subscriptions.asked(1, ["a"])
    subscriptions.answered(1, [False])
    subscriptions.connected(session_present=True)

    assert subscriptions.to_join() == []


def test_a_refused_subscription_is_told_and_asked_for_again_the_next_time() -> None:
    subscriptions = session([], {"a": 1, "b": 1})
    subscriptions.asked(1, ["a", "b"])

    assert subscriptions.answered(1, [False, True]) == ["b"]
    assert subscriptions.to_join() == [{"b": 1}]


def test_what_could_not_be_sent_is_still_to_be_asked_for() -> None:
    subscriptions = session([], {"a": 1})
    subscriptions.asked(None, ["a"])

    assert subscriptions.to_join() == [{"a": 1}]


def test_no_packet_holds_more_than_eight_filters() -> None:
    subscriptions = session([], {f"topic/{number}": 1 for number in range(17)})

    assert [len(filters) for filters in subscriptions.to_join()] == [8, 8, 1]
