"""A new event, handed to whichever handlers it concerns."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform import Event, Rejected, Retry
from botplatform.effects import emit
from tests.handlers import happened


class Host:
    def __init__(self) -> None:
        self.accepted: list[Event] = []

    def accept(self, event: Event) -> None:
        self.accepted.append(event)

    def publish(self, *_: Any) -> None:
        raise AssertionError("an event is not published")


@pytest.mark.parametrize("event", [happened(data={"a": 1}), happened(subject="a", data=b"\xff")])
def test_the_event_arrives_as_it_was_emitted(event: Event) -> None:
    host = Host()

    assert emit.effect(host).perform({"event": event.to_dict()}, "k") == {"id": "1"}
    assert host.accepted == [event]


def test_what_is_no_event_is_rejected() -> None:
    with pytest.raises(Rejected):
        emit.effect(Host()).perform({"event": {"id": "1"}}, "k")


def test_without_a_host_it_waits_for_one() -> None:
    with pytest.raises(Retry, match="no host"):
        emit.effect(None).perform({"event": happened().to_dict()}, "k")
