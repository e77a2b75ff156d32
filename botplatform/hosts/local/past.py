"""Past events: which of the log somebody means, and what they did when they happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from botplatform.errors import Rejected
from botplatform.event import Event
from botplatform.hosts.local.replay import replayed
from botplatform.router import Router
from botplatform.stores.sqlite.log import Log
from botplatform.stores.sqlite.search import Search
from botplatform.work import CAUSATION, REPLAY_OF

_PAGE = 1000
# SQLite's integers end here: what is greater is an id.
_NUMBERS = 2**63


class Past(NamedTuple):
    """A logged event: its `number` in the log, when it was `received` (Unix time in seconds), what it came of.

    `cause` is the id of the event whose handler asked for it, `replay_of` that of the one it repeats, else empty;
    `performed` are the names of the effects that it had, each with the handler that asked for it.
    """

    number: int
    source: str
    id: str
    received: float
    cause: str = ""
    replay_of: str = ""
    performed: Sequence[tuple[str, str]] = ()


class Picked(NamedTuple):
    """Past events in the order in which they came, and how many others were left out, by the reason."""

    events: Sequence[Past]
    left_out: Counter[str]


def named(log: Log, names: Iterable[str]) -> Picked:
    """The events with these numbers or ids, each once; raises Rejected for a name that is not that of one event."""
    numbers = sorted({_number(log, name) for name in names})
    return Picked([past for number in numbers if (past := _past(log, log.event(number)))], Counter())


def found(log: Log, search: Search) -> Picked:
    """The events that fit a search, but no replays: what they repeat is there itself."""
    events, left_out = [], Counter[str]()
    for entry in _entries(log, search):
        past = _past(log, entry)
        if past is None:
            left_out["that were rejected when they came"] += 1
        elif past.replay_of:
            left_out["that are replays themselves"] += 1
        else:
            events.append(past)
    return Picked(events, left_out)


def heard(log: Log, picked: Picked, router: Router, handler: str = "") -> Picked:
    """Without the events to which no handler, or not the one named, listens now."""
    listening = [past for past in picked.events if _is_heard(router, log.envelope(past.number), handler)]
    reason = f"to which {handler} does not listen" if handler else "to which no handler listens"
    return Picked(listening, picked.left_out + Counter({reason: len(picked.events) - len(listening)}))


def without_consequences(picked: Picked) -> Picked:
    """Without the events that come of others among them: where effects are repeated, those bring them about anew."""
    ids = {past.id for past in picked.events}
    first = [past for past in picked.events if past.cause not in ids]
    come_again = Counter({"that others among these bring about again": len(picked.events) - len(first)})
    return Picked(first, picked.left_out + come_again)


def effects_of(events: Iterable[Past], handler: str = "") -> Counter[str]:
    """How many effects of each name events had, or those that one handler asked for."""
    return Counter(name for past in events for by, name in past.performed if handler in ("", by))


def _number(log: Log, name: str) -> int:
    """The number of the event that is named by it or by its id."""
    numbers = [int(name)] if name.isdecimal() and int(name) < _NUMBERS and log.event(int(name)) else log.by_id(name)
    if not numbers:
        raise Rejected(f"there is no event {name} in the log: `botplatform events` lists them")
    if len(numbers) > 1:
        raise Rejected(f"{len(numbers)} events have the id {name}: say which by its number, {numbers}")
    if log.envelope(numbers[0]) is None:
        raise Rejected(f"{name} was rejected: there is no event that could be handled again")
    return numbers[0]


def _entries(log: Log, search: Search) -> Iterator[dict[str, Any]]:
    """All entries that fit, oldest first."""
    after = 0
    while page := log.events(after, _PAGE, search=search):
        yield from page
        after = page[-1]["number"]


def _past(log: Log, entry: dict[str, Any] | None) -> Past | None:
    """An entry as a past event; None where there is no event, or it was forgotten meanwhile."""
    event = log.envelope(entry["number"]) if entry else None
    if entry is None or event is None:
        return None
    cause, replay_of = (str(event.extensions.get(name, "")) for name in (CAUSATION, REPLAY_OF))
    return Past(entry["number"], event.source, event.id, entry["received"], cause, replay_of, _performed(entry))


def _is_heard(router: Router, event: Event | None, handler: str) -> bool:
    return event is not None and any(handler in ("", m.handler.name) for m in router.route(replayed(event)))


def _performed(entry: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (handler["handler"], effect["name"])
        for handler in entry["handlers"]
        for effect in handler.get("effects", ())
        if effect["status"] == "performed"
    ]
