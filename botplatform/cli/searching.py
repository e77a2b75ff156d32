"""The options that say which events are meant, the same for every command that takes some."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from botplatform.instants import FORMS, instant

if TYPE_CHECKING:
    from botplatform.stores.sqlite.search import Search

VERDICTS = ("accepted", "unmatched", "rejected", "done", "waiting", "dead", "failed")
_NAMES = {
    "source": "Only from sources whose name begins so, or fits a pattern such as '*kitchen*'.",
    "type": "Only of types that begin so, or fit a pattern.",
    "subject": "Only about subjects that begin so, or fit a pattern.",
    "handler": "Only what concerned a handler whose name begins so, or fits a pattern.",
    "text": "Only with this text in the envelope, the reason or the subject.",
}


class Instant(click.ParamType[float]):
    """A time as people write it; its value is a Unix time in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The Unix time that a text names now."""
        try:
            return instant(str(value), datetime.now().astimezone()).timestamp()
        except (ValueError, OverflowError) as error:
            self.fail(str(error), param, ctx)


def searching(command: Callable[..., Any], without: Collection[str] = ()) -> Callable[..., Any]:
    """Give a command the options that make a Search, but for those it takes itself, and the Search as `search`."""

    @wraps(command)
    def with_search(*args: Any, **given: Any) -> Any:
        from botplatform.stores.sqlite.search import Search

        asked = {name: given.pop(name) for name in Search._fields if name not in without}
        said = {name: value for name, value in asked.items() if value is not None}
        return command(*args, search=Search(**said), **given)

    for option in reversed(_options(without)):
        with_search = option(with_search)
    return with_search


def _options(without: Collection[str]) -> list[Callable[[Callable[..., Any]], Callable[..., Any]]]:
    options = {name: click.option(f"--{name}", help=about) for name, about in _NAMES.items()}
    options["verdict"] = click.option("--verdict", type=click.Choice(VERDICTS), metavar="WHAT", help=_VERDICT)
    options["since"] = click.option("--from", "since", type=Instant(), help=f"Only from then on: {FORMS}.")
    options["until"] = click.option("--to", "until", type=Instant(), help="Only before then.")
    return [option for name, option in options.items() if name not in without]


_VERDICT = f"Only what became this: {', '.join(VERDICTS)}."


def is_empty(search: Search) -> bool:
    """Whether a search leaves nothing out."""
    return not any(value not in ("", None) for value in search)
