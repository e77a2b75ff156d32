"""What to look for in the log and among the dead letters, and how SQLite is asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from botplatform import codec

Condition = tuple[str, tuple[Any, ...]]

VERDICTS: Final = ("accepted", "unmatched", "rejected")


class Search(NamedTuple):
    """What is looked for; an empty field asks for nothing, and all others have to be met.

    `source`, `type`, `subject` and `handler` are how such a name begins, or, with `*`, `?` or `[…]` in it, a pattern
    for the whole name as in a shell. `verdict` is accepted, unmatched or rejected, or what became of the event in some
    handler: done, waiting (for another try), dead, or failed (dead, or waiting after a failure). `text` is part of the
    envelope, the reason or the subject; for A to Z, capitals do not count. `since` (inclusive) and `until` are Unix
    times in seconds.
    """

    source: str = ""
    type: str = ""
    subject: str = ""
    handler: str = ""
    verdict: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None


def in_log(search: Search) -> Condition:
    """The condition for rows of `log`."""
    return _all(
        [
            *_times("received", search),
            *_named("source", search.source),
            *_named("type", search.type),
            *_named("subject", search.subject),
            *_became(search),
            *_text(("reason", "subject", "CAST(envelope AS TEXT)"), search.text),
        ]
    )


def in_inbox(search: Search) -> Condition:
    """The condition for rows of `inbox`, whose type and subject stand in the envelope only."""
    return _all(
        [
            *_times("changed", search),
            *_named("source", search.source),
            *_named("handler", search.handler),
            *_named("json_extract(CAST(envelope AS TEXT), '$.type')", search.type),
            *_named("json_extract(CAST(envelope AS TEXT), '$.subject')", search.subject),
            *_text(("reason", "CAST(envelope AS TEXT)"), search.text),
        ]
    )


def _all(conditions: Sequence[Condition]) -> Condition:
    return " AND ".join(f"({sql})" for sql, _ in conditions) or "TRUE", _values(conditions)


def _values(conditions: Sequence[Condition]) -> tuple[Any, ...]:
    return tuple(value for _, values in conditions for value in values)


def _times(column: str, search: Search) -> Iterator[Condition]:
    if search.since is not None:
        yield f"{column} >= ?", (search.since,)
    if search.until is not None:
        yield f"{column} < ?", (search.until,)


def _named(column: str, wanted: str) -> Iterator[Condition]:
    if wanted and {*wanted} & {*"*?["}:
        yield f"{column} GLOB ?", (wanted,)
    elif wanted:
        yield f"{column} >= ? AND {column} < ?", (wanted, wanted + "\U0010ffff")


# Where the rows are that say what became of an event.
_DONE = "outcomes WHERE number = log.seq"
_KEPT = "inbox WHERE (inbox.source, inbox.id) = (log.source, log.id)"
_PLACES = {
    "done": (_DONE,),
    "waiting": (f"{_KEPT} AND dead = 0",),
    "dead": (f"{_KEPT} AND dead = 1",),
    "failed": (f"{_KEPT} AND (dead = 1 OR attempts > 0)",),
}
_ANYWHERE = (_DONE, _KEPT)


def _became(search: Search) -> Iterator[Condition]:
    """The verdict, and the handlers: what became of the event has to be so in one of those asked for."""
    if search.verdict in VERDICTS:
        yield "verdict = ?", (search.verdict,)
    handler, values = _all([*_named("handler", search.handler)])
    places = _PLACES.get(search.verdict, _ANYWHERE if search.handler else ())
    ways = [f"EXISTS (SELECT 1 FROM {place} AND {handler})" for place in places]
    if ways:
        yield " OR ".join(ways), values * len(ways)


def _text(columns: Sequence[str], wanted: str) -> Iterator[Condition]:
    """The text as somebody typed it, or as JSON spells it."""
    if wanted:
        spelt = sorted({wanted, codec.encode(wanted).decode()[1:-1]})
        ways = [f"{column} LIKE ? ESCAPE '\\'" for column in columns for _ in spelt]
        yield " OR ".join(ways), tuple(f"%{_literal(text)}%" for text in spelt) * len(columns)


def _literal(text: str) -> str:
    """A text in which LIKE sees nothing special."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
