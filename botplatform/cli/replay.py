"""Commands that run past events again: for real, as a dry run, or under a debugger."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from botplatform.cli.options import AS_JSON, PLUGINS, YES, load, settings
from botplatform.cli.searching import is_empty, searching
from botplatform.errors import BotplatformError, Retry, StateUnavailable

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.hosts.local.operations import Operations
    from botplatform.hosts.local.past import Past, Picked
    from botplatform.hosts.local.remote import RunningPlatform
    from botplatform.plugins import Plugins
    from botplatform.rehearsal import Rehearsal, Rehearsed
    from botplatform.stores.sqlite.log import Log
    from botplatform.stores.sqlite.reading import Reading
    from botplatform.stores.sqlite.search import Search

HANDLER = click.option("--handler", default="", metavar="PLUGIN.FUNCTION", help="Only by this handler.")
AS_OF = click.option("--as-of", is_flag=True, help="On the state as it was just before the (first) event was handled.")
# Fewer are done before anybody has seen a bar.
_MANY = 20
# In one request to a running platform.
_BATCH = 50
_PAUSE = 1.0


@click.command()
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@partial(searching, without=["handler"])
@HANDLER
@click.option("--dry-run", is_flag=True, help="Only show what would come of it; keep nothing, perform nothing.")
@AS_OF
@click.option("--no-effects", is_flag=True, help="Change the state, but perform no effects.")
@YES
@PLUGINS
@AS_JSON
def replay(
    events: Sequence[str],
    search: Search,
    handler: str,
    dry_run: bool,
    as_of: bool,
    no_effects: bool,
    yes: bool,
    folders: Sequence[Path],
    as_json: bool,
) -> None:
    """Handle past events again, by number or id in the log, or those that fit: as copies, in their order.

    With --dry-run the plugins as they are now handle them in this process, each event after the one before, and what
    they would change, send and reply is shown. Otherwise the running platform does it, or, where none runs, the next
    one to start; before it repeats effects it asks, unless --yes says yes or --no-effects no.
    """
    if as_of and not dry_run:
        raise click.UsageError("--as-of is for a --dry-run: a replay changes the state there is")
    if dry_run:
        _dry_run(events, search, handler, as_of, folders, as_json)
    else:
        _replay(events, search, handler, not no_effects, yes, folders, as_json)


@click.command()
@click.argument("event")
@HANDLER
@AS_OF
@PLUGINS
def debug(event: str, handler: str, as_of: bool, folders: Sequence[Path]) -> None:
    """Run a past event, by its number or id in the log, under pdb from the first line of its handler on.

    Nothing is kept and no effect performed; at the end what would have been is shown, as by replay --dry-run.
    """
    from botplatform.hosts.local.past import named
    from botplatform.terminal.debugger import Left, under_pdb
    from botplatform.terminal.replay import show_rehearsed

    plugins = load(folders)
    with _state() as state:
        picked = _heard(state.log, named(state.log, [event]), plugins, handler)
        if not picked.events:
            nobody = f"{handler} does not listen" if handler else "no handler listens"
            raise BotplatformError(f"{nobody} to event {event}")
        past = picked.events[0]
        envelope, rehearsal = _envelope(state.log, past), _rehearsal(plugins, state, past if as_of else None, handler)
        click.echo("n: next line, s: into a call, c: go on, q: leave, p ctx.state['name']: show, h: help", err=True)
        try:
            rehearsed = rehearsal.run(envelope, handler, under_pdb)
        except Left:
            click.echo("left: nothing was done", err=True)
            return
        show_rehearsed(past, envelope, rehearsed, as_json=False)


def _dry_run(
    events: Sequence[str], search: Search, handler: str, as_of: bool, folders: Sequence[Path], as_json: bool
) -> None:
    """Rehearse the events and show what would come of them; the exit status is 1 where a handler failed."""
    from botplatform.terminal.replay import show_left_out, show_rehearsed, show_summary

    plugins = load(folders)
    with _state() as state:
        picked = _heard(state.log, _picked(state.log, events, search), plugins, handler)
        show_left_out(picked)
        first = picked.events[0] if as_of and picked.events else None
        rehearsal = _rehearsal(plugins, state, first, handler)
        runs: list[Sequence[Rehearsed]] = []
        with _progress("rehearsing", len(picked.events)) as advance:
            for past in picked.events:
                if as_of:
                    rehearsal.now = past.received
                runs.append(rehearsal.run(_envelope(state.log, past), handler))
                advance(1)
        for past, rehearsed in zip(picked.events, runs, strict=True):
            show_rehearsed(past, _envelope(state.log, past), rehearsed, as_json)
    if not as_json:
        show_summary(runs)
    sys.exit(any(one.status == "failed" for rehearsed in runs for one in rehearsed))


def _replay(
    events: Sequence[str],
    search: Search,
    handler: str,
    effects: bool,
    yes: bool,
    folders: Sequence[Path],
    as_json: bool,
) -> None:
    from botplatform.hosts.local.past import without_consequences
    from botplatform.hosts.local.remote import operating
    from botplatform.terminal.replay import show_left_out

    plugins = load(folders)
    with _state() as state:
        picked = _heard(state.log, _picked(state.log, events, search), plugins, handler)
    if effects and not (handler or events):
        picked = without_consequences(picked)
    show_left_out(picked)
    if effects and picked.events and not yes:
        _ask(picked, handler)
    with operating(settings(), lambda: plugins) as operations:
        done = _each(operations, [past.number for past in picked.events], handler, effects)
        _tell(done, operations.runs, as_json)


def _picked(log: Log, events: Sequence[str], search: Search) -> Picked:
    """The events that are meant: those named, or those that fit, but never all by a slip of the pen."""
    from botplatform.hosts.local.past import found, named

    if bool(events) == (not is_empty(search)):
        raise click.UsageError("which events? give their numbers or ids, or filters such as --from 2h")
    return named(log, events) if events else found(log, search)


def _heard(log: Log, picked: Picked, plugins: Plugins, handler: str) -> Picked:
    """Those of the events that a handler listens to, or the one named; raises BotplatformError where there is none."""
    from botplatform.hosts.local.past import heard
    from botplatform.router import Router

    for mistake in plugins.mistakes:
        click.echo(click.style(str(mistake), fg="red"), err=True)
    router = Router(plugins.handlers)
    if handler and handler not in router.handlers:
        raise BotplatformError(f"there is no handler {handler}: `botplatform plugins` lists them")
    return heard(log, picked, router, handler)


@contextmanager
def _state() -> Iterator[Reading]:
    """The state of the platform on this machine, to look at."""
    from botplatform.stores.sqlite.reading import reading

    folder = settings().state
    database = folder / "state.db"
    if not database.exists():
        raise StateUnavailable(f"there is no log in {folder} yet: start the platform with `botplatform run`")
    with reading(database) as state:
        yield state


def _rehearsal(plugins: Plugins, state: Reading, first: Past | None, handler: str) -> Rehearsal:
    """A rehearsal on the state as it is, or, given the first event, as it was just before that was handled."""
    from botplatform.rehearsal import Rehearsal
    from botplatform.router import Router

    beneath = state.as_of(first.source, first.id, handler) if first else state
    now = first.received if first else time.time()
    return Rehearsal(Router(plugins.handlers), plugins.sources, beneath, now, plugins.infos)


def _envelope(log: Log, past: Past) -> Event:
    event = log.envelope(past.number)
    if event is None:
        raise BotplatformError(f"event {past.number} was forgotten just now: it is older than what the log keeps")
    return event


def _ask(picked: Picked, handler: str) -> None:
    """Go on only if somebody wants the effects once more."""
    from botplatform.hosts.local.past import effects_of
    from botplatform.terminal.replay import effects_told

    if not sys.stdin.isatty():
        raise BotplatformError("nobody is there to be asked: say --yes to repeat their effects, or --no-effects")
    count, before = len(picked.events), effects_of(picked.events, handler)
    these = "this event" if count == 1 else f"these {count} events"
    had = f"had {effects_told(before)}" if before else "had no effects, but may have some now"
    click.echo(f"{these} {had}; --no-effects replays without", err=True)
    click.confirm("perform them again?" if before else "perform what they ask for?", abort=True, err=True)


def _each(
    operations: Operations | RunningPlatform, numbers: Sequence[int], handler: str, effects: bool
) -> dict[int, str]:
    """Replay one batch after the other, waiting while there is no room; the id of each copy by the event's number."""
    done: dict[int, str] = {}
    with _progress("replaying", len(numbers)) as advance:
        while left := numbers[len(done) :]:
            try:
                ids = operations.replay(left[:_BATCH], handler, effects)
                done.update(zip(left, ids, strict=False))
                advance(len(ids))
            except Retry:
                time.sleep(_PAUSE)
            except KeyboardInterrupt:
                click.echo(f"stopped after {len(done)} of {len(numbers)}", err=True)
                raise
    return done


def _tell(done: dict[int, str], at_once: bool, as_json: bool) -> None:
    from botplatform.terminal.text import json_told

    if as_json:
        for number, id_ in done.items():
            click.echo(json_told({"number": number, "id": id_}))
        return
    when = "replayed" if at_once else "will be replayed at the next start"
    ids = f": {', '.join(done.values())}" if 0 < len(done) <= 3 else ""
    click.echo(f"{len(done)} {when}{ids}")


@contextmanager
def _progress(label: str, count: int) -> Iterator[Callable[[int], None]]:
    hidden = count < _MANY or not sys.stderr.isatty()
    with click.progressbar(length=count, label=label, file=sys.stderr, hidden=hidden) as progress:
        yield progress.update
