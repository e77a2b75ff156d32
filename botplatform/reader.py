"""Bytes -> events, each with the handlers it concerns, reading of it no more than it takes to know that."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.router import NOBODY, Plan, keep
from botplatform.source import NO_HEADERS, Raw

if TYPE_CHECKING:
    from botplatform.router import Router
    from botplatform.source import Reading, Source

    Routed = tuple[Event | Rejected | None, Plan]

    class Read(Protocol):
        """What `reader` returns; the headers are those that came along, as `Raw` has them."""

        def __call__(self, body: bytes, headers: Mapping[str, str] = ...) -> Iterable[Routed]: ...


# Bytes of an event whose fingerprint is worth remembering.
LONGEST = 8 * 1024
# To look at few fields first pays where that rules out most events: they are counted up where it did, or would have,
# and down where not, to no more than _SURE. From _PAYS on it is done.
_PAYS, _SURE = 4, 8
V = TypeVar("V")
PASSED_OVER: Final[Iterable[Routed]] = ((None, NOBODY),)


def reader(source: Source, router: Router) -> Read:
    """A function from bytes to the events of a source, each with its plan: which handlers it concerns.

    A Rejected, in place of a record that cannot be read, concerns nobody. Where the source knows how, an event is read
    no further than patterns look. One that concerns nobody is None then: `source.normalize` has it. One that concerns
    somebody is unread (`Event.unread`): whoever keeps or handles it has to `settle` it first. What the last event like
    this one concerned, this one does, too. Any thread may call the function.
    """
    kinds = router.index.kinds(source.beginnings)
    reading = _reading(source, kinds)
    if reading is None:
        return _whole(source, router)
    few = {path: kinds[path] for path in router.index.deciding & kinds.keys()}
    return _in_part(source, router, reading, _reading(source, few) if len(few) < len(kinds) else None)


def _reading(source: Source, kinds: Mapping[str, Any]) -> Reading | None:
    return source.reading(kinds) if source.reading and codec.skips() else None


def _whole(source: Source, router: Router) -> Read:
    def read(body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> Iterator[Routed]:
        for event in source.normalize(Raw(body, headers)):
            yield event, NOBODY if isinstance(event, Rejected) else router.plan(event)

    return read


def _in_part(source: Source, router: Router, reading: Reading, first: Reading | None) -> Read:
    """The function for a source that reads in part; the `first` look is at the few fields that can rule all out."""
    undecodable = codec.undecodable()
    plan_of = _remembering(reading, router.plan_by)
    may_concern = first and _remembering(first, router.index.may_match)
    read_whole = _whole(source, router)
    ruled_out = _PAYS

    def read(body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> Iterable[Routed]:
        nonlocal ruled_out
        if len(body) > LONGEST:
            return read_whole(body, headers)
        try:
            look = may_concern if ruled_out >= _PAYS else None
            if look and not look(body):
                if ruled_out < _SURE:
                    ruled_out += 1
                return PASSED_OVER
            plan = plan_of(body)
        except undecodable:
            return read_whole(body, headers)
        if plan is NOBODY and not look:
            ruled_out += 1
        elif ruled_out:
            ruled_out -= 1
        return PASSED_OVER if plan is NOBODY else ((Event.unread(whole, (body, headers)), plan),)

    def whole(arrived: tuple[bytes, Mapping[str, str]]) -> Event:
        event = next(source.normalize(Raw(*arrived)))
        if isinstance(event, Rejected):
            raise event
        return event

    return read


def _remembering(reading: Reading, answer: Callable[[Mapping[str, Any]], V]) -> Callable[[bytes], V]:
    """What `answer` says of the glimpse of an event, worked out once for all with the same fingerprint."""
    from botplatform.patterns.fingerprint import compact

    fingerprint_of, glimpse = reading
    known: dict[Hashable, V] = {}

    def answered(body: bytes) -> V:
        fingerprint = fingerprint_of(body)
        try:
            return known[fingerprint]
        except KeyError:
            return keep(known, compact(fingerprint), answer(glimpse(body)))

    return answered
