"""Messages to devices."""

from __future__ import annotations

import pytest

from botplatform import Event, Retry
from botplatform.effect import Publication
from botplatform.effects import publish

MESSAGE = {"topic": "rooms/attic/fan", "payload": "ein ü", "qos": 1, "retain": True, "chain": "rooms.air"}


class Host:
    def __init__(self, error: Exception | None = None) -> None:
        self.published: list[Publication] = []
        self._error = error

    def publish(self, message: Publication) -> None:
        if self._error:
            raise self._error
        self.published.append(message)

    def accept(self, event: Event) -> None:
        raise AssertionError(f"{event} is no message")


def test_a_message_is_published_as_utf_8() -> None:
    host = Host()

    assert publish.effect(host).perform(MESSAGE, "k") == {"bytes": 6}
    assert host.published == [Publication("rooms/attic/fan", "ein ü".encode(), 1, True, "k", "rooms.air")]


def test_bytes_are_published_as_they_are() -> None:
    host = Host()

    publish.effect(host).perform({"topic": "a", "payload_base64": "AP8=", "qos": 0, "retain": False}, "k")
    assert host.published == [Publication("a", b"\x00\xff", 0, False, "k")]


def test_what_the_broker_did_not_take_is_tried_again() -> None:
    with pytest.raises(Retry, match="not connected"):
        publish.effect(Host(Retry("not connected"))).perform(MESSAGE, "k")


def test_without_a_host_it_waits_for_one() -> None:
    with pytest.raises(Retry, match="no host"):
        publish.effect(None).perform(MESSAGE, "k")
