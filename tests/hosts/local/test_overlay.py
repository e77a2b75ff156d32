"""What the units of work that run together see of each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from botplatform import codec
from botplatform.errors import Conflict
from botplatform.hosts.local.overlay import Overlay
from botplatform.store import Outcome, StateKey, Value, Work, Write
from tests.handlers import SOURCE


class Beneath:
    """Values, and how often anybody asked for them."""

    def __init__(self, **values: Any) -> None:
        self.asked: list[str] = []
        self._values = {name: Value(codec.encode(value), 7) for name, value in values.items()}

    def outcomes(self, works: Sequence[Work]) -> dict[Work, Outcome]:
        self.asked.append("outcomes")
        return {works[0]: Outcome(duplicate=True)}

    def read(self, key: StateKey) -> Value:
        self.asked.append(key.key)
        return self._values.get(key.key, Value(None))

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        assert plugin == "demo"
        yield from ((name, value) for name, value in sorted(self._values.items()) if name.startswith(prefix))


def write(overlay: Overlay, **writes: Write) -> None:
    overlay.write({StateKey("demo", name): write for name, write in writes.items()})


def test_a_value_has_the_writes_on_top_and_the_version_beneath() -> None:
    overlay = Overlay(Beneath(number=1, list=[1], gone=1, new=1), [])
    write(
        overlay, number=Write("add", b"2"), list=Write("append", b"[2]"), gone=Write("delete"), new=Write("put", b"9")
    )
    write(overlay, number=Write("add", b"3"), made=Write("create", b"4"), new=Write("create", b"0"))

    read = {name: overlay.read(StateKey("demo", name)) for name in ("number", "list", "gone", "new", "made", "none")}
    assert {name: (value.json, value.version) for name, value in read.items()} == {
        "number": (b"6", 7),
        "list": (b"[1,2]", 7),
        "gone": (None, 7),
        "new": (b"9", 7),
        "made": (b"4", 0),
        "none": (None, 0),
    }


def test_it_says_whether_anybody_was_given_what_is_not_beneath() -> None:
    overlay = Overlay(Beneath(a=1, b=1), [])
    write(overlay, a=Write("add", b"1"))
    overlay.read(StateKey("demo", "b"))
    assert not overlay.seen

    overlay.read(StateKey("demo", "a"))
    assert overlay.seen


def test_all_values_of_a_prefix_are_found_wherever_they_are() -> None:
    overlay = Overlay(Beneath(room_a=1, room_b=2, other=3), [])
    write(overlay, room_b=Write("delete"), room_c=Write("put", b"4"), door=Write("put", b"5"))

    assert [(name, value.json) for name, value in overlay.scan("demo", "room_")] == [("room_a", b"1"), ("room_c", b"4")]
    assert overlay.seen


def test_a_value_is_read_once_and_stays_as_it_was() -> None:
    beneath = Beneath(a=1)
    overlay = Overlay(beneath, [])
    for _ in range(3):
        overlay.read(StateKey("demo", "a"))

    assert beneath.asked == ["a"]


def test_what_is_done_is_asked_for_once_for_all() -> None:
    works = [Work(SOURCE, str(n), "demo.handle") for n in range(3)]
    beneath = Beneath()
    overlay = Overlay(beneath, works)

    assert [overlay.outcome(work) is not None for work in works] == [True, False, False]
    assert beneath.asked == ["outcomes"]


def test_what_follows_a_change_that_cannot_be_made_is_to_run_again() -> None:
    overlay = Overlay(Beneath(text="many"), [])
    write(overlay, text=Write("add", b"1"))

    with pytest.raises(Conflict):
        overlay.read(StateKey("demo", "text"))
