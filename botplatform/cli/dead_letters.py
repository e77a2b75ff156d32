"""Commands on dead letters, what was given up on: look at it, repair it, have it handled again, or forget it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import IO, TYPE_CHECKING

import click

from botplatform.cli.options import AS_JSON, OR_STAGE, REGION, YES, ask, load, settings, staged
from botplatform.cli.searching import is_empty, searching

if TYPE_CHECKING:
    from botplatform.letters import DeadLetters
    from botplatform.stores.sqlite.search import Search

LETTERS = click.argument("letters", nargs=-1, metavar="[NUMBER]...")
# Dead is what they all are: there is nothing else to ask for.
SEARCHED = partial(searching, without=["verdict"])
ALL = click.option("--all", "everything", is_flag=True, help="All there are.")
# Fewer are done before anybody has seen a bar.
_MANY = 200


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at what was given up on, repair it, and have it handled again.

    A running platform does it itself; where none runs, what is retried waits for the next start.
    """


@dead_letters.command("list")
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(1), help="How many at most.")
@SEARCHED
@OR_STAGE
@REGION
@AS_JSON
def list_letters(lines: int, search: Search, stage: str, region: str, as_json: bool) -> None:
    """List dead letters with their reasons, oldest first; --from and --to are about when they were given up."""
    from botplatform.terminal.dead_letters import letter_line
    from botplatform.terminal.text import json_told

    with _opened(stage, region) as kept:
        found = kept.find(search)
        for letter in islice(found, lines):
            click.echo(json_told(letter) if as_json else letter_line(letter))
        if next(iter(found), None):
            click.echo(f"there are more than {lines}: -n shows more, filters show fewer", err=True)


@dead_letters.command()
@click.argument("letters", nargs=-1, required=True, metavar="NUMBER...")
@OR_STAGE
@REGION
@AS_JSON
def show(letters: Sequence[str], stage: str, region: str, as_json: bool) -> None:
    """Show dead letters whole: why, after what, and the envelope with the record, secrets masked."""
    from botplatform.terminal.dead_letters import letter_told
    from botplatform.terminal.text import json_told

    with _opened(stage, region) as kept:
        for name in letters:
            letter = kept.letter(name)
            click.echo(json_told(letter) if as_json else letter_told(letter))


@dead_letters.command()
@LETTERS
@SEARCHED
@ALL
@YES
@OR_STAGE
@REGION
@AS_JSON
def retry(
    letters: Sequence[str], search: Search, everything: bool, yes: bool, stage: str, region: str, as_json: bool
) -> None:
    """Have dead letters handled once more, with as many attempts as a new event: these, those that fit, or all.

    State that was changed is not changed twice: only the handler that gave up runs.
    """
    with _opened(stage, region) as kept:
        names = _chosen(kept, letters, search, everything)
        _ask("Retry", names, yes)
        done = _each(kept.retry, names, "retrying")
        _tell(done, len(names), "retried" if kept.at_once else "put back for the next start", as_json)


@dead_letters.command()
@LETTERS
@SEARCHED
@ALL
@YES
@OR_STAGE
@REGION
@AS_JSON
def drop(
    letters: Sequence[str], search: Search, everything: bool, yes: bool, stage: str, region: str, as_json: bool
) -> None:
    """Forget dead letters for good: these, those that fit, or all. The log goes on saying so of their events."""
    with _opened(stage, region) as kept:
        names = _chosen(kept, letters, search, everything)
        _ask("Drop", names, yes)
        _tell(_each(kept.drop, names, "dropping"), len(names), "dropped", as_json)


@dead_letters.command()
@click.argument("letter", metavar="NUMBER")
@click.option("--data", type=click.File("rb"), help="Take the new data from this file, `-` for standard input.")
@click.option("--retry", "again", is_flag=True, help="Have it handled again at once.")
@OR_STAGE
@REGION
def edit(letter: str, data: IO[bytes] | None, again: bool, stage: str, region: str) -> None:
    """Change the data of a dead letter, JSON, in $EDITOR. What is masked (***) stays as it was."""
    from botplatform.terminal.dead_letters import asked_for, given

    with _opened(stage, region) as kept:
        envelope = kept.letter(letter)["envelope"]
        edited = given(data.read()) if data else asked_for(envelope)
        if edited is None:
            click.echo("nothing was changed", err=True)
            return
        kept.edit(letter, edited.data)
        if again:
            _tell(sum(kept.retry([letter])), 1, "retried" if kept.at_once else "put back for the next start", False)
        else:
            click.echo(f"changed; `botplatform dead-letters retry {letter}` has it handled again")


@contextmanager
def _opened(stage: str, region: str) -> Iterator[DeadLetters]:
    """The dead letters of a stage, or of the platform on this machine."""
    if stage:
        from botplatform.deploy.dead_letters import StageLetters

        yield StageLetters(staged(stage, region).there())
        return
    from botplatform.hosts.local.remote import operating
    from botplatform.letters import LocalLetters

    with operating(settings(), lambda: load(())) as operations:
        yield LocalLetters(operations)


def _chosen(kept: DeadLetters, names: Sequence[str], search: Search, everything: bool) -> list[str]:
    """The names of the letters that are meant: those named, or those that fit, but never all by a slip of the pen."""
    if bool(names) + (not is_empty(search)) + everything != 1:
        raise click.UsageError("which ones? give their numbers, or filters such as --handler, or --all")
    return list(names) or [str(letter["number"]) for letter in kept.find(search)]


def _ask(act: str, names: Sequence[str], yes: bool) -> None:
    if len(names) > 1:
        ask(f"{act} {len(names)} dead letters?", yes)


def _each(act: Callable[[Sequence[str]], Iterator[int]], names: Sequence[str], label: str) -> int:
    """Do it to all of them, and return to how many it was done."""
    total = 0
    hidden = len(names) < _MANY or not sys.stderr.isatty()
    with click.progressbar(length=len(names), label=label, file=sys.stderr, hidden=hidden) as progress:
        for done in act(names):
            total += done
            progress.update(done)
    return total


def _tell(done: int, wanted: int, what: str, as_json: bool) -> None:
    """Say what was done; the exit status is 1 where some of the letters were not there any more."""
    from botplatform.terminal.text import json_told

    click.echo(json_told({"done": done}) if as_json else f"{done} {what}")
    if done < wanted:
        raise click.ClickException(f"{wanted - done} of {wanted} were not there any more")
