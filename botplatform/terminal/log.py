"""Logs, of this machine and of a stage: what happened, and what became of it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from botplatform.errors import StateUnavailable
from botplatform.tail import Entry, LocalLines, Tail
from botplatform.terminal.text import cut, spent

if TYPE_CHECKING:
    from botplatform.deploy.stage_log import Line
    from botplatform.stores.sqlite.log import Log

T = TypeVar("T")


@contextmanager
def local_log(state: Path) -> Iterator[Log]:
    """The log of the platform whose state is in a folder; raises StateUnavailable when none ever ran on it."""
    from botplatform.stores.sqlite.reading import reading

    database = state / "state.db"
    if not database.exists():
        raise _nothing_yet(state)
    with reading(database) as found:
        yield found.log


@contextmanager
def local_lines(state: Path) -> Iterator[Tail[str]]:
    """The lines that platform logged; raises StateUnavailable when none ever ran on the folder."""
    from botplatform.hosts.local.main import LOG

    path = state / LOG
    if not path.exists():
        raise _nothing_yet(state)
    with closing(LocalLines(path)) as lines:
        yield lines


def _nothing_yet(state: Path) -> StateUnavailable:
    return StateUnavailable(f"there is no log in {state} yet: start the platform with `botplatform run`")


def show(tail: Tail[T], lines: int, follow: bool, told: Callable[[T], str], pause: float = 0.5) -> None:
    """Print the latest of a log, oldest first, and go on with new ones until Ctrl-C, looking every `pause` seconds."""
    with suppress(KeyboardInterrupt):
        for found in tail.latest(lines):
            click.echo(told(found))
        while follow:
            time.sleep(pause)
            for found in tail.newer():
                click.echo(told(found))


def line_told(line: Line) -> str:
    """One line of a stage's log, with the time and the function that wrote it; an event's as `events` shows it."""
    from botplatform.deploy.stage_log import entry

    when = datetime.fromtimestamp(line.time / 1000).strftime("%H:%M:%S")
    found = entry(line.text)
    return f"{when} {click.style(line.function, fg='cyan')} {event_told(found) if found else line.text}"


def entry_told(entry: Entry) -> str:
    """One log entry as a line; a stage's has no number."""
    number = f"{entry['number']:>6} " if "number" in entry else ""
    when = datetime.fromtimestamp(entry["received"]).strftime("%H:%M:%S")
    told = f"{number}{when} {event_told(entry)}"
    return cut(told, shutil.get_terminal_size().columns).rstrip() if sys.stdout.isatty() else told


def event_told(entry: Entry) -> str:
    """What happened, and what became of it."""
    what = f"{entry.get('type') or ''} {entry.get('subject') or ''}".strip() or entry.get("source", entry["verdict"])
    handled = "; ".join(
        [_became(h) for h in entry.get("handlers", ())] + [_effect_told(e) for e in entry.get("effects", ())]
    )
    became = handled or f"{entry['verdict']}: {entry['reason']}"
    deliveries = entry.get("deliveries", 1)
    again = f" (delivered {deliveries} times)" if deliveries > 1 else ""
    replay = f" (replay of {entry['replay_of']})" if entry.get("replay_of") else ""
    return f"{cut(what, 44)} {became}{again}{replay}"


def _became(handler: Mapping[str, Any]) -> str:
    name = handler["handler"]
    if handler["status"] != "done":
        after = f" after {handler['attempts']}" if "attempts" in handler else ""
        return f"{name} {handler['status']}{after}: {handler['reason']}"
    told = [f"{name} had done it" if handler.get("again") else f"{name} in {spent(handler['took'])}{_tries(handler)}"]
    if handler["reply"]:
        told.append(f"said {handler['reply'].get('text', '')!r}")
    told += [_effect_told(effect) for effect in handler["effects"]]
    told += [f"suppressed {reason}" for reason in handler["suppressed"]]
    return ", ".join(told)


def _tries(handler: Mapping[str, Any]) -> str:
    attempts = handler.get("attempts", 1)
    return f" at attempt {attempts}" if attempts > 1 else ""


def _effect_told(effect: Mapping[str, Any]) -> str:
    reason = (effect.get("result") or {}).get("reason")
    return f"{effect['name']} {effect['status']}" + (f" ({reason})" if reason else "")
