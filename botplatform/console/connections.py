"""What an event of the log is connected with: what led to it, what came of it, and what replays it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botplatform import codec
from botplatform.stores.sqlite.log import Log
from botplatform.stores.sqlite.search import Search
from botplatform.work import CAUSATION, CORRELATION, REPLAY_OF

# They are looked for in the text of the log: 0.1 s for 300,000 events. Of more of them, these are the first.
_MOST_REPLAYS = 20


def connections(log: Log, entry: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The entries connected with one that has its envelope; of an event that is not in the log, only its `id`.

    `caused_by` is the event whose handler emitted it, `began_with` the first of that chain, `caused` are those that its
    own handlers emitted, `replay_of` and `replayed_as` say what it is a replay of and what are replays of it.
    """
    envelope = entry["envelope"] or {}
    cause, first = envelope.get(CAUSATION), envelope.get(CORRELATION)
    return {
        "caused_by": _named(log, cause),
        "began_with": _named(log, first if first != cause else None),
        "caused": [found for emitted in _emitted(entry) for found in _named(log, emitted)],
        "replay_of": _named(log, envelope.get(REPLAY_OF)),
        "replayed_as": list(_replays(log, entry)) if envelope else [],
    }


def _named(log: Log, id: Any) -> list[dict[str, Any]]:
    if not isinstance(id, str):
        return []
    entries = (log.event(number) for number in log.by_id(id))
    return [entry for entry in entries if entry] or [{"id": id}]


def _emitted(entry: dict[str, Any]) -> Iterator[str]:
    """The ids of the events that the handlers emitted."""
    for handler in entry["handlers"]:
        for effect in handler.get("effects", ()):
            if effect["name"] == "emit" and effect["status"] == "performed":
                yield effect["arguments"]["event"]["id"]


def _replays(log: Log, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    marked = Search(text=f'"{REPLAY_OF}":{codec.encode(entry["id"]).decode()}')
    for found in log.events(entry["number"], _MOST_REPLAYS, search=marked):
        replay = log.event(found["number"])
        if replay and replay["envelope"].get(REPLAY_OF) == entry["id"]:
            yield replay
