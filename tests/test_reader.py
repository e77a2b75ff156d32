"""Each event is read as far as it takes to know whom it concerns, and none is routed otherwise for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from botplatform import Event, Rejected, cloudevents, codec
from botplatform.patterns.fingerprint import decoder
from botplatform.reader import LONGEST, reader
from botplatform.router import NOBODY, REMEMBERED, Handler, Router
from botplatform.source import Raw, Reading
from botplatform.sources.cloudevents import SOURCE as CLOUDEVENTS
from tests.handlers import handler_of, happened

if TYPE_CHECKING:
    from botplatform.reader import Read


def wanting(name: str, data: dict[str, Any]) -> Handler:
    def handle() -> None:
        """Nothing is ever run here."""

    handle.__name__ = name
    return handler_of(cloudevents.event(matching={"data": data})(handle))


HOT = wanting("hot", {"celsius": [{"numeric": [">", 30]}]})
# The room decides, for each of these.
ROOMS = [wanting(f"room_{number}", {"room": [number], "celsius": [{"numeric": [">", 30]}]}) for number in range(9)]


class Bytes:
    """A source whose bytes are the data of an event, and how much of it was read."""

    def __init__(self) -> None:
        codec.use_msgspec()
        self.fingerprints: list[list[str]] = []
        self.glimpses: list[bytes] = []
        self.read: list[bytes] = []
        self.source = CLOUDEVENTS._replace(normalize=self.normalize, reading=self.reading)

    def normalize(self, raw: Raw) -> Any:
        self.read.append(raw.body)
        data = codec.decode(raw.body)
        return iter((happened(data=data) if data and "broken" not in data else Rejected("broken"),))

    def reading(self, kinds: Mapping[str, Any]) -> Reading:
        paths = {path.removeprefix("data."): kind for path, kind in kinds.items()}
        identify = decoder(paths)
        assert identify

        def fingerprint(body: bytes) -> Any:
            self.fingerprints.append(sorted(paths))
            return identify(body)

        def glimpse(body: bytes) -> Mapping[str, Any]:
            self.glimpses.append(body)
            return {"data": {name: value for name, value in codec.decode(body).items() if name in paths}}

        return Reading(fingerprint, glimpse)


def routed(read: Read, *several: Any) -> list[list[str]]:
    """The handlers of an event with each of these data."""
    return [
        [match.handler.name for match in plan.matches]
        for data in several
        for _, plan in read(data if isinstance(data, bytes) else codec.encode(data))
    ]


@pytest.fixture
def bytes_() -> Bytes:
    return Bytes()


def test_an_event_is_not_read_before_somebody_asks_for_it(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router([HOT]))

    ((event, plan),) = read(b'{"celsius": 31}')

    assert plan.functions == (HOT.function,)
    assert bytes_.read == []
    assert isinstance(event, Event)
    assert event.data == {"celsius": 31}


def test_an_event_that_is_none_says_so_when_somebody_asks_for_it(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router([HOT]))

    ((event, _),) = read(b'{"celsius": 31, "broken": true}')

    assert isinstance(event, Event)
    with pytest.raises(Rejected, match="broken"):
        event.settle()


def test_an_event_is_read_where_parameters_are_taken_out_of_it(bytes_: Bytes) -> None:
    (subscription,) = HOT.subscriptions
    bound = HOT._replace(subscriptions=(subscription._replace(bind=lambda event: {"id": event.id}),))
    read = reader(bytes_.source, Router([bound]))

    ((event, plan),) = read(b'{"celsius": 31}')
    assert isinstance(event, Event)
    assert bytes_.read == []

    assert [match.params(event) for match in plan.matches_of(event)] == [{"id": happened().id}]


def test_events_that_are_alike_are_held_against_the_patterns_once(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router([HOT]))

    assert routed(read, *({"celsius": c, "n": n} for n, c in enumerate([20, 31, 20, 31]))) == [[], ["demo.hot"]] * 2
    assert len(bytes_.glimpses) == 2


def test_more_events_than_are_remembered_are_routed_all_the_same(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router([HOT]))
    several = [*range(-REMEMBERED, 32), -REMEMBERED]

    assert routed(read, *({"celsius": c} for c in several)) == [["demo.hot"] if c > 30 else [] for c in several]


def test_an_event_that_concerns_nobody_is_not_made(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router([HOT]))

    assert [*read(b'{"celsius": 20}')] == [(None, NOBODY)]
    assert bytes_.read == []


def test_few_fields_are_looked_at_while_events_concern_nobody(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router(ROOMS))

    assert routed(read, {"room": 10, "celsius": 31}, {"room": 10, "celsius": 99}) == [[], []]
    assert bytes_.fingerprints == [["room"]] * 2
    assert len(bytes_.glimpses) == 1


FEW, ALL = ["room"], ["celsius", "room"]


def test_all_fields_are_looked_at_where_events_concern_somebody(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router(ROOMS))

    assert routed(read, *[{"room": 1, "celsius": 31}] * 3) == [["demo.room_1"]] * 3
    assert bytes_.fingerprints == [FEW, ALL, ALL, ALL]


def test_few_fields_do_not_tell_all(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router(ROOMS))

    assert routed(read, {"room": 1, "celsius": 29}) == [[]]
    assert bytes_.fingerprints == [FEW, ALL]


def test_few_fields_are_looked_at_again_once_they_would_have_told_of_several_events(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router(ROOMS))
    routed(read, *[{"room": 1, "celsius": 31}] * 20)
    bytes_.fingerprints.clear()

    assert routed(read, *[{"room": 10, "celsius": 31}] * 5) == [[]] * 5
    assert bytes_.fingerprints == [ALL, ALL, ALL, ALL, FEW]


def test_few_fields_are_looked_at_although_an_event_now_and_then_concerns_somebody(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router(ROOMS))
    routed(read, *[{"room": 10, "celsius": 31}] * 20)
    bytes_.fingerprints.clear()

    nobody, somebody = {"room": 10, "celsius": 31}, {"room": 1, "celsius": 31}
    assert routed(read, somebody, nobody, somebody, nobody) == [["demo.room_1"], []] * 2
    assert bytes_.fingerprints == [FEW, ALL, FEW, FEW, ALL, FEW]


@pytest.mark.parametrize(
    "data", [{"celsius": [31]}, {"celsius": 31, "more": "x" * LONGEST}], ids=["has no fingerprint", "is long"]
)
def test_an_event_is_read_whole_where_less_does_not_tell(bytes_: Bytes, data: dict[str, Any]) -> None:
    read = reader(bytes_.source, Router([HOT]))

    assert routed(read, data) == [["demo.hot"]]
    assert len(bytes_.read) == 1
    assert bytes_.glimpses == []


def test_what_cannot_be_read_concerns_nobody(bytes_: Bytes) -> None:
    read = reader(bytes_.source, Router([HOT]))

    ((rejected, plan),) = read(b"null")

    assert isinstance(rejected, Rejected)
    assert plan is NOBODY


@pytest.mark.parametrize("reading", [None, lambda _: None], ids=["never", "not for these patterns"])
def test_a_source_that_does_not_read_in_part_is_read_whole(bytes_: Bytes, reading: Any) -> None:
    read = reader(bytes_.source._replace(reading=reading), Router([HOT]))

    assert routed(read, {"celsius": 31}, {"celsius": 20}) == [["demo.hot"], []]
    assert len(bytes_.read) == 2
