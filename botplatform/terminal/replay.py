"""What handlers would make of past events: one event after the other, and all of it summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from botplatform.durations import words
from botplatform.terminal.story import handler_told
from botplatform.terminal.text import clock_time, json_told, plain

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.hosts.local.past import Past, Picked
    from botplatform.rehearsal import Rehearsed

# One effect in words, and many.
_EFFECTS = {
    "text": ("text", "texts"),
    "slack": ("Slack message", "Slack messages"),
    "publish": ("MQTT message", "MQTT messages"),
    "emit": ("event", "events"),
}


def show_rehearsed(past: Past, event: Event, rehearsed: Sequence[Rehearsed], as_json: bool) -> None:
    """Print what each handler would make of one event, as the story of an event is printed."""
    handlers = [one.to_dict() for one in rehearsed]
    if as_json:
        about = {"number": past.number, "source": past.source, "id": past.id, "type": event.type}
        click.echo(json_told({**about, "subject": event.subject, "received": past.received, "handlers": handlers}))
        return
    about_it = f"{past.number}  {event.type} {event.subject or ''}".rstrip()
    click.echo(f"{click.style(plain(about_it), bold=True)}  {clock_time(past.received)}")
    for handler in handlers:
        for line in handler_told(handler, past.received):
            click.echo(f"    {line}")


def show_summary(runs: Sequence[Sequence[Rehearsed]]) -> None:
    """Print what came of a dry run of many events."""
    all_ = [one for rehearsed in runs for one in rehearsed]
    by_status = Counter(one.status for one in all_)
    effects = Counter(effect.name for one in all_ for effect in one.effects)
    told = [
        f"{len(runs)} event{'' if len(runs) == 1 else 's'}, {by_status['done']} handled, {by_status['failed']} failed",
        f"{effects_told(effects)} asked for" if effects else "no effects",
        f"{suppressed} suppressed" if (suppressed := sum(len(one.suppressed) for one in all_)) else "",
        f"{words(took)} in handlers" if (took := sum(one.took for one in all_)) >= 1 else "",
    ]
    summary = ", ".join(filter(None, told))
    click.echo(click.style(summary, bold=True, fg="red" if by_status["failed"] else None))


def effects_told(effects: Mapping[str, int]) -> str:
    """Effects in words: "3 texts and 1 Slack message"."""
    told = [f"{count} {_EFFECTS.get(name, (name, name))[count != 1]}" for name, count in effects.items()]
    return " and ".join(filter(None, (", ".join(told[:-1]), *told[-1:])))


def show_left_out(picked: Picked) -> None:
    """Say on standard error what is not replayed, and why."""
    for reason, count in picked.left_out.items():
        click.echo(f"left out {count} {reason}", err=True)
