"""A search where there is no SQL: in the entries of a stage's log, and among its dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from botplatform import codec
from botplatform.stores.sqlite.search import VERDICTS, Search


def fits(found: Mapping[str, Any], search: Search) -> bool:
    """Whether an entry of the log is one of those searched for."""
    return (
        (search.since is None or found["received"] >= search.since)
        and (search.until is None or found["received"] < search.until)
        and all(named(found.get(name), getattr(search, name)) for name in ("source", "type", "subject"))
        and _became(found, search)
        and holds(found, search.text)
    )


def named(name: str | None, wanted: str) -> bool:
    """Whether a name begins as it is wanted, or fits the pattern that is wanted."""
    return fnmatchcase(name or "", wanted) if {*wanted} & {*"*?["} else (name or "").startswith(wanted)


def holds(found: Mapping[str, Any], text: str) -> bool:
    """Whether a text is in the envelope, the reason or the subject, in capitals or not."""
    places = codec.encode([found.get(name) for name in ("envelope", "reason", "subject")]).decode().lower()
    return text.lower() in places or codec.encode(text).decode()[1:-1].lower() in places


def _became(found: Mapping[str, Any], search: Search) -> bool:
    """The verdict, and the handlers: what became of the event has to be so in one of those asked for."""
    if search.verdict in VERDICTS and found["verdict"] != search.verdict:
        return False
    outcome = "" if search.verdict in VERDICTS else search.verdict
    if not outcome and not search.handler:
        return True
    handlers = [handler for handler in found.get("handlers", ()) if named(handler["handler"], search.handler)]
    # On AWS what waits, waits because it failed.
    wanted = {"failed": {"waiting", "dead"}, "": {"done", "waiting", "dead"}}.get(outcome, {outcome})
    return any(handler["status"] in wanted for handler in handlers)
