"""One event's whole story: what came in, who handled it, and what became of that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from botplatform.tail import Entry
from botplatform.terminal.text import clock_time, json_told, plain, spent

_INDENT = "    "
_COLOURS = {
    "done": "green",
    "performed": "green",
    "waiting": "yellow",
    "pending": "yellow",
    "not performed": "yellow",
}
# Seconds: an event that is handled at once is logged with its commit.
_WORTH_TELLING = 0.001
# What an event says of those that led to it, in the words for it.
_ORIGINS = {
    "causationid": "caused by",
    "correlationid": "began with",
    "handlerchain": "by way of",
    "replayof": "replay of",
    "replayto": "only for",
}


def story_told(entry: Entry) -> str:
    """Everything the log has of one event: an entry with its `envelope`."""
    return "\n".join([*_arrival(entry), *envelope_told(entry.get("envelope")), *_handlers(entry)])


def envelope_told(envelope: Mapping[str, Any] | None) -> Iterator[str]:
    """The envelope with the record in it, in lines; none where it was not kept."""
    if envelope is None:
        return
    yield click.style("envelope", bold=True)
    text = json.dumps(envelope, indent=2, ensure_ascii=False)
    yield from (_INDENT + plain(line) for line in text.splitlines())


def _arrival(entry: Entry) -> Iterator[str]:
    number = f"{entry['number']}  " if "number" in entry else ""
    about = " ".join(filter(None, (entry.get("type"), entry.get("subject")))) or entry.get("source", "")
    yield click.style(f"{number}{plain(about)}", bold=True)
    deliveries = entry.get("deliveries", 1)
    again = f", delivered {deliveries} times" if deliveries > 1 else ""
    reason = f": {entry['reason']}" if entry["reason"] else ""
    yield f"{_INDENT}{clock_time(entry['received'])} {plain(entry['verdict'] + again + reason)}"
    yield from origins_told(entry.get("envelope") or {})


def origins_told(envelope: Mapping[str, Any]) -> Iterator[str]:
    """What led to an event, as far as its envelope says."""
    for name, words in _ORIGINS.items():
        if name in envelope:
            yield f"{_INDENT}{words} {plain(str(envelope[name]).replace(' ', ' > '))}"


def _handlers(entry: Entry) -> Iterator[str]:
    for handler in entry.get("handlers", ()):
        yield from handler_told(handler, entry["received"])


def handler_told(handler: Mapping[str, Any], received: float) -> Iterator[str]:
    """What one handler made of an event that was received at that time, in lines."""
    yield _became(handler, received)
    if handler["status"] == "done":
        yield from (_INDENT + line for line in _done(handler))


def _became(handler: Mapping[str, Any], received: float) -> str:
    name, status = click.style(handler["handler"], bold=True), handler["status"]
    attempts = handler.get("attempts", 1)
    tries = f" after {attempts} attempts" if attempts > 1 else ""
    told = [click.style(status, fg=_COLOURS.get(status, "red")) + tries]
    if status == "done":
        told += _times(handler, received)
    if status == "waiting" and "due" in handler:
        told.append(f"next at {clock_time(handler['due'])}")
    reason = f": {plain(handler['reason'])}" if handler.get("reason") else ""
    return f"{name}  {', '.join(told)}{reason}"


def _times(handler: Mapping[str, Any], received: float) -> Iterator[str]:
    """Where the time went: the handler's own, and what passed before its last attempt began."""
    if handler.get("again"):
        yield "by an earlier delivery"
        return
    if "finished" in handler:
        yield f"at {clock_time(handler['finished'])}"
    yield f"took {spent(handler['took'])}"
    waited = handler.get("finished", received) - handler["took"] - received
    if waited > _WORTH_TELLING:
        yield f"waited {spent(waited)}"


def _done(handler: Mapping[str, Any]) -> Iterator[str]:
    for change in handler.get("changes", ()):
        own = handler["handler"].startswith(f"{change['plugin']}.")
        yield f"state     {'' if own else change['plugin'] + ' '}{_change_told(change)}"
    for effect in handler["effects"]:
        yield f"effect    {_effect_told(effect)}"
    for reason in handler["suppressed"]:
        yield f"withheld  {plain(reason)}"
    if handler["reply"]:
        yield f"reply     {json_told(handler['reply'])}"


def _change_told(change: Mapping[str, Any]) -> str:
    key = plain(change["key"])
    if "size" in change:
        return f"{key}: {change['size']:,} bytes now"
    before, after = (json_told(change[name]) if name in change else "nothing" for name in ("before", "after"))
    before = before if change.get("seen", True) else "?"
    return f"{key}: {click.style(before, fg='red')} -> {click.style(after, fg='green')}"


def _effect_told(effect: Mapping[str, Any]) -> str:
    status = click.style(effect["status"], fg=_COLOURS.get(effect["status"], "red"))
    when = f" at {clock_time(effect['changed'])}" if "changed" in effect else ""
    tries = f", attempt {effect['attempts']}" if effect.get("attempts") else ""
    result = f" -> {json_told(effect['result'])}" if effect.get("result") else ""
    return f"{effect['name']} {status}{when}{tries} {json_told(effect['arguments'])}{result}"
