"""What commands show: tables for people, JSON lines for scripts."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from botplatform import codec
from botplatform.errors import StateUnavailable
from botplatform.router import Router

if TYPE_CHECKING:
    from botplatform.demo import Step
    from botplatform.event import Event
    from botplatform.plugins import Plugins


def show_demo(root: Path, keep: Path | None, as_json: bool) -> int:
    """Play the demo and print a line a sample as it happens; returns the exit status."""
    from botplatform import demo

    widths = _widths()
    if not as_json:
        click.echo(click.style(_row(("sample", "handled by", "reply", "effects", "time"), widths), bold=True))
    wrong = count = 0
    with tempfile.TemporaryDirectory() as fresh:
        for step in demo.play(root / "events", root / "fixtures", root / "plugins", keep or Path(fresh)):
            count += 1
            wrong += bool(step.wrong)
            click.echo(_json(vars(step)) if as_json else _step(step, widths))
    if not as_json:
        summary = f"{count} samples, {wrong} wrong" if wrong else f"{count} samples, each did what it should"
        click.echo(click.style(summary, fg="red" if wrong else "green"))
    return 1 if wrong else 0


def _widths() -> tuple[int, ...]:
    """The widths of the demo's columns, for the terminal there is; a pipe gets wide ones."""
    whole = shutil.get_terminal_size((180, 24)).columns
    sample, time_ = 30, 7
    rest = max(60, whole - sample - time_ - 8)
    return sample, rest * 3 // 10, rest * 3 // 10, rest * 4 // 10, time_


def _step(step: Step, widths: Sequence[int]) -> str:
    cells = (
        step.file.partition(".")[0],
        ", ".join(step.handlers) or "-",
        step.reply,
        "; ".join(step.effects),
        f"{step.seconds * 1000:.0f} ms",
    )
    lines = [_row(cells, widths), *(click.style(f"    {reason}", fg="red") for reason in step.wrong)]
    return "\n".join(lines)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_cut(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cut(text: str, width: int) -> str:
    flat = " ".join(text.split())
    return flat.ljust(width) if len(flat) <= width else flat[: width - 1] + "…"


def show_plugins(plugins: Plugins, as_json: bool) -> None:
    """Print each plugin with what it listens to and what it may do."""
    for plugin in plugins.loaded.values():
        uses = sorted({effect for handler in plugin.handlers for effect in handler.uses})
        if as_json:
            click.echo(_json(_plugin(plugin, uses)))
            continue
        click.echo(f"{click.style(plugin.name, bold=True)}: {plugin.info.summary or '(it has no docstring)'}")
        for handler in plugin.handlers:
            for subscription in handler.subscriptions:
                click.echo(f"    {subscription.source:<12}{subscription.summary:<44}{handler.name.partition('.')[2]}")
        if uses:
            click.echo(f"    {'may':<12}{', '.join(uses)}")
    for mistake in plugins.mistakes:
        click.echo(click.style(str(mistake), fg="red"), err=True)


def _plugin(plugin: Any, uses: Sequence[str]) -> dict[str, Any]:
    listens = [
        {"source": s.source, "to": s.summary, "handler": handler.name}
        for handler in plugin.handlers
        for s in handler.subscriptions
    ]
    return {
        "plugin": plugin.name,
        "file": plugin.file,
        "summary": plugin.info.summary,
        "listens": listens,
        "uses": uses,
    }


def show_explanation(event: Event, plugins: Plugins, as_json: bool) -> None:
    """Print who would handle an event, and why each other handler would not."""
    router = Router(plugins.handlers)
    taken = [match.handler.name for match in router.route(event)]
    others = [(h, s, why) for h, s, why in router.explain(event) if why and h.name not in taken]
    if as_json:
        refused = [{"handler": h.name, "listens": s.summary, "because": why} for h, s, why in others]
        click.echo(
            _json({"source": event.source, "id": event.id, "type": event.type, "handlers": taken, "others": refused})
        )
        return
    click.echo(click.style(f"{event.type} {event.subject or ''}".strip(), bold=True) + f"  {event.id}")
    for name in taken:
        click.echo(click.style(f"    {name} handles it", fg="green"))
    owner = next((s for s in plugins.sources.values() if s.owns(event)), plugins.sources["cloudevents"])
    near = [(h, s, why) for h, s, why in others if s.source == owner.name]
    for handler, subscription, why in near:
        click.echo(f"    {handler.name} does not ({subscription.summary}): {why}")
    if len(others) > len(near):
        click.echo(f"    {len(others) - len(near)} more listen to other sources than {owner.name}")
    if not taken:
        click.echo(
            "    no handler; one would be:\n"
            + "\n".join(f"        {line}" for line in owner.suggest(event).split("\n"))
        )


def show_events(state: Path, lines: int, follow: bool, as_json: bool) -> None:
    """Print the latest log entries, oldest first, and go on with new ones if asked."""
    from botplatform.stores.sqlite.log import reading

    database = state / "state.db"
    if not database.exists():
        raise StateUnavailable(f"there is no log in {state} yet: start the platform with `botplatform run`")
    with reading(database) as log, suppress(KeyboardInterrupt):
        latest = log.events(limit=max(lines, 1), newest_first=True)[::-1]
        shown = latest[-1]["number"] if latest else 0
        _show(latest[-lines:] if lines else [], shown, as_json)
        while follow:
            time.sleep(0.5)
            shown = _show(log.events(after=shown, limit=1000), shown, as_json)


def _show(entries: Sequence[Mapping[str, Any]], shown: int, as_json: bool) -> int:
    """Print log entries; returns the number of the last one shown by now."""
    for entry in entries:
        click.echo(_json(entry) if as_json else line(entry))
    return entries[-1]["number"] if entries else shown


def line(entry: Mapping[str, Any]) -> str:
    """One log entry as a line."""
    when = datetime.fromtimestamp(entry["received"]).strftime("%H:%M:%S")
    what = f"{entry['type']} {entry['subject'] or ''}".strip() or entry["source"]
    became = "; ".join(_became(handler) for handler in entry["handlers"]) or f"{entry['verdict']}: {entry['reason']}"
    again = f" (delivered {entry['deliveries']} times)" if entry["deliveries"] > 1 else ""
    told = f"{entry['number']:>6} {when} {_cut(what, 44)} {became}{again}"
    return _cut(told, shutil.get_terminal_size().columns).rstrip() if sys.stdout.isatty() else told


def _became(handler: Mapping[str, Any]) -> str:
    if handler["status"] != "done":
        return f"{handler['handler']} {handler['status']} after {handler['attempts']}: {handler['reason']}"
    told = [f"{handler['handler']} in {handler['took'] * 1000:.1f} ms"]
    if handler["reply"]:
        told.append(f"said {handler['reply'].get('text', '')!r}")
    told += [f"{effect['name']} {effect['status']}" for effect in handler["effects"]]
    told += [f"suppressed {reason}" for reason in handler["suppressed"]]
    return ", ".join(told)


def _json(value: Any) -> str:
    return codec.encode(value).decode()
