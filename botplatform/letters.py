"""Dead letters, what was given up on: the same for those of a platform on this machine and of a stage on AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from botplatform.errors import Rejected

if TYPE_CHECKING:
    from botplatform.hosts.local.operations import Operations
    from botplatform.hosts.local.remote import RunningPlatform
    from botplatform.stores.sqlite.search import Search

# `number` (a text on AWS), `source`, `id`, `type`, `subject`, `handler`, `reason`, `changed` (Unix time in seconds) and
# `attempts` where they are counted; `envelope`, with secrets masked, where it is one that was asked for.
Letter = Mapping[str, Any]
# Of one request: so that nobody waits for long, and a progress bar moves.
_BATCH = 100


class DeadLetters(Protocol):
    """What can be done with dead letters, whose names are their numbers as texts.

    Every method may raise BotplatformError. `at_once` says whether what is tried again begins now.
    """

    at_once: bool

    def find(self, search: Search) -> Iterator[Letter]:
        """Those searched for, oldest first."""

    def letter(self, name: str) -> Letter:
        """One of them, with its envelope; raises Rejected when there is none of that name."""

    def retry(self, names: Sequence[str]) -> Iterator[int]:
        """Have them handled once more; yields how many these were, as it goes on."""

    def edit(self, name: str, data: Any) -> None:
        """Give one other data, a JSON value; what is masked in it stays as it was."""

    def drop(self, names: Sequence[str]) -> Iterator[int]:
        """Forget them; yields how many these were, as it goes on."""


class LocalLetters:
    """The dead letters of the platform on this machine, running or not."""

    def __init__(self, operations: Operations | RunningPlatform) -> None:
        self._operations = operations
        self.at_once = operations.runs

    def find(self, search: Search) -> Iterator[Letter]:
        """Those searched for."""
        after = 0
        while found := self._operations.dead_letters(search, after):
            yield from found
            after = found[-1]["number"]

    def letter(self, name: str) -> Letter:
        """One with its envelope."""
        return self._operations.dead_letter(_number(name))

    def retry(self, names: Sequence[str]) -> Iterator[int]:
        """Try them again, some at a time."""
        return map(self._operations.retry, _batches(names))

    def edit(self, name: str, data: Any) -> None:
        """Replace the data of one."""
        self._operations.edit(_number(name), data)

    def drop(self, names: Sequence[str]) -> Iterator[int]:
        """Forget them, some at a time."""
        return map(self._operations.drop, _batches(names))


def _batches(names: Sequence[str]) -> list[list[int]]:
    numbers = [_number(name) for name in names]
    return [numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH)]


def _number(name: str) -> int:
    if not name.isdecimal() or len(name) > 18:
        raise Rejected(f"{name!r} is no number of a dead letter: `botplatform dead-letters list` shows them")
    return int(name)
