"""What does it cost to make an event of the bytes EventBridge brings? Beside JSON decoders, and the peers' parsers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from benchmarks import subscriptions
from benchmarks.bars import at_most
from benchmarks.cloudtrail_events import Trail, trail
from benchmarks.measure import Contender, Race, Wrong
from benchmarks.per_event import measured, one_core
from benchmarks.route import router_of
from benchmarks.servers import installed
from benchmarks.subscriptions import Wanted
from benchmarks.yardstick import NOT_INSTALLED, YARDSTICK, is_there, loading, unmeasured
from botplatform import codec
from botplatform.event import Event
from botplatform.source import Raw
from botplatform.sources.cloudtrail import SOURCE

SUBSCRIPTIONS = 1000
BUILT, UNASKED = "the platform, data built", "the platform, data not asked for"
SDK, POWERTOOLS = "cloudevents", "aws_lambda_powertools"


def races() -> Iterator[Race]:
    """One race."""
    if not is_there():
        yield unmeasured("normalize")
        return
    codec.use_msgspec()
    events = trail()
    contenders = [loading(events), *_ours(events), *_peers(events)]
    known = {contender.name for contender in contenders}
    absent = {name: NOT_INSTALLED for name in (SDK, POWERTOOLS) if name not in known}
    bars = [at_most(BUILT, 1.5, of=YARDSTICK), at_most(UNASKED, 0.7, of=YARDSTICK)]
    with one_core():
        yield Race(f"normalize: bytes to an event ({events.origin})", contenders, absent, bars)


def _ours(events: Trail) -> Iterator[Contender]:
    decode = msgspec.json.Decoder().decode
    yield _contender("msgspec", decode, events.bodies, "the whole event, as orjson does")
    yield _contender(BUILT, _built, events.bodies)
    wanted = subscriptions.drawn(subscriptions.keyed, events.records, SUBSCRIPTIONS)
    yield _contender(UNASKED, _unread(wanted), events.bodies, f"but for what {SUBSCRIPTIONS:,} patterns look at")


def _unread(wanted: Sequence[Wanted]) -> Callable[[bytes], Event]:
    """A function from bytes to an event of which only what these patterns look at was decoded, as `reader` makes it."""
    decode = fingerprint(router_of(wanted).index.kinds(SOURCE.beginnings))

    def read(body: bytes) -> Event:
        decode(body)
        return Event.unread(_only, body)

    return read


def fingerprint(kinds: Mapping[str, Any]) -> Callable[[bytes], Hashable]:
    """The function that decodes of an event what patterns look at."""
    reading = SOURCE.reading and SOURCE.reading(kinds)
    if not reading:
        raise Wrong("the patterns look at more than can be read in part")
    return reading.fingerprint


def _peers(events: Trail) -> Iterator[Contender]:
    if installed(SDK):
        from cloudevents.http import from_json

        bodies = [_only(body).to_json() for body in events.bodies]
        yield _contender(SDK, from_json, bodies, "its from_json, on the same records as CloudEvents")
    if installed(POWERTOOLS):
        from aws_lambda_powertools.utilities.parser import parse
        from aws_lambda_powertools.utilities.parser.models import EventBridgeModel

        texts = [body.decode() for body in events.bodies]
        yield _contender(POWERTOOLS, partial(parse, model=EventBridgeModel), texts, "its parser with EventBridgeModel")


def _built(body: bytes) -> Any:
    (event,) = SOURCE.normalize(Raw(body))
    return event.data  # type: ignore[union-attr]


def _only(body: bytes) -> Any:
    (event,) = SOURCE.normalize(Raw(body))
    return event


def _contender(name: str, read: Callable[[Any], Any], items: list[Any], note: str = "") -> Contender:
    def is_read(item: Any) -> int:
        read(item)
        return 1

    return Contender(name, partial(measured, is_read, items, len(items)), note)
