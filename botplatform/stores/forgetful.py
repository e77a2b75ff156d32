"""The store of handlers that keep nothing and ask for nothing: no table, no marker, no call to anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from botplatform.store import Abandoned, Commit, Committed, Outcome, PendingEffect, StateKey, Value, Work, effect_key


class Forgetful:
    """A Store that forgets: an event that comes again is handled again, which changes nothing.

    What a commit asks for is to be performed at once, and lost if the process dies first. Raises RuntimeError for
    state, which has no place here.
    """

    keeps = False

    def outcome(self, work: Work) -> Outcome | None:  # noqa: ARG002
        return None

    def read(self, key: StateKey) -> Value:
        _refuse(key.plugin)

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:  # noqa: ARG002
        _refuse(plugin)

    def commit(self, commit: Commit) -> Committed:
        for key in commit.all_writes:
            _refuse(key.plugin)
        if commit.run and not commit.run.begin_commit():
            raise Abandoned(f"{commit.work.handler} was given up before it committed")
        follow_up = [commit.follow_up] if commit.run and commit.run.answered and commit.follow_up else []
        if not (commit.effects or follow_up):
            return Committed(commit.outcome)
        effects = [
            PendingEffect(position, commit.work, request, effect_key(commit.work, position))
            for position, request in enumerate([*commit.effects, *follow_up])
        ]
        return Committed(commit.outcome, effects)

    def pending(self) -> list[PendingEffect]:
        return []

    def performed(self, effect: PendingEffect, result: Mapping[str, Any]) -> None:
        """Nothing is kept of it."""

    def postponed(self, effect: PendingEffect, reason: str, given_up: bool) -> None:
        """Nothing is kept of it."""

    def close(self) -> None:
        """Nothing is open."""


def _refuse(plugin: str) -> NoReturn:
    raise RuntimeError(f"plugin {plugin} runs where no state is kept")
