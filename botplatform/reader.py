"""Bytes -> events, each with the handlers it concerns, reading of it no more than it takes to know that."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.router import NOBODY, Plan, keep

if TYPE_CHECKING:
    from botplatform.router import Router
    from botplatform.source import Raw, Reading, Source

    Routed = tuple[Event | Rejected | None, Plan]
    Read = Callable[[Raw], Iterable[Routed]]

# Bytes of an event whose fingerprint is worth remembering.
LONGEST = 8 * 1024
V = TypeVar("V")
PASSED_OVER: Final[Iterable[Routed]] = ((None, NOBODY),)


def reader(source: Source, router: Router) -> Read:
    """A function from bytes to the events of a source, each with its plan: which handlers it concerns.

    A Rejected, in place of a record that cannot be read, concerns nobody. Where the source knows how, an event is read
    no further than patterns look. One that concerns nobody is None then: `source.normalize` has it. One that concerns
    somebody is unread (`Event.unread`): whoever keeps or handles it has to `settle` it first. What the last event like
    this one concerned, this one does, too. Any thread may call the function.
    """
    kinds = router.index.kinds
    reading = _reading(source, kinds)
    if reading is None:
        return partial(_whole, source, router)
    few = {path: kinds[path] for path in router.index.deciding}
    return _in_part(source, router, reading, _reading(source, few) if len(few) < len(kinds) else None)


def _reading(source: Source, kinds: Mapping[str, Any]) -> Reading | None:
    return source.reading(kinds) if source.reading and codec.skips() else None


def _whole(source: Source, router: Router, raw: Raw) -> Iterator[Routed]:
    for event in source.normalize(raw):
        yield event, NOBODY if isinstance(event, Rejected) else router.plan(event)


def _in_part(source: Source, router: Router, reading: Reading, first: Reading | None) -> Read:
    """The function for a source that reads in part; the `first` look is at the few fields that can rule handlers out.

    It pays where it rules out most events, so it is taken as long as it ruled out the last, or would have.
    """
    undecodable = codec.undecodable()
    plan_of = _remembering(reading, router.plan_by)
    may_concern = first and _remembering(first, router.index.may_match)
    pays = True

    def read(raw: Raw) -> Iterable[Routed]:
        nonlocal pays
        body = raw.body
        if len(body) > LONGEST:
            return _whole(source, router, raw)
        try:
            look = may_concern if pays else None
            if look and not look(body):
                return PASSED_OVER
            plan = plan_of(body)
        except undecodable:
            return _whole(source, router, raw)
        pays = plan is NOBODY and not look
        return PASSED_OVER if plan is NOBODY else ((Event.unread(whole, raw), plan),)

    def whole(raw: Raw) -> Event:
        event = next(source.normalize(raw))
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
        value = known.get(fingerprint)
        return keep(known, compact(fingerprint), answer(glimpse(body))) if value is None else value

    return answered
