"""Handlers are transactions, whatever happens when; and a store with any one flaw is found out.

`--model-runs N` plays more runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from botplatform.store import Commit, Committed, PendingEffect, Run
from botplatform.stores.memory import MemoryStore
from tests.handlers import replaced
from tests.stores.deliveries import Deliveries, OnMemory, OnSqlite

Process = Callable[[], OnMemory | OnSqlite]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """The bugs in the handlers are meant."""
    caplog.set_level(logging.CRITICAL, "botplatform.engine")


def play(process: Process, runs: int, **options: Any) -> None:
    chosen = {"max_examples": runs, "stateful_step_count": 30, "deadline": None, **options}
    run_state_machine_as_test(
        lambda: Deliveries(process()), settings=settings(suppress_health_check=list(HealthCheck), **chosen)
    )


@pytest.mark.parametrize("process", [OnMemory, OnSqlite])
@pytest.mark.timeout(0)  # whoever asks for more runs wants to wait for them
def test_each_event_is_handled_once_and_its_effects_happen_at_least_once(
    process: Process, request: pytest.FixtureRequest
) -> None:
    play(process, request.config.getoption("--model-runs"))


class _Flawed:
    """A store whose flaws are put in between it and whoever uses it."""

    def commit(self, commit: Commit) -> Committed:
        return super().commit(self.altered(commit))  # type: ignore[misc, no-any-return]

    def altered(self, commit: Commit) -> Commit:
        return commit


class ChecksNothing(_Flawed):
    """What a handler read may have changed."""

    def altered(self, commit: Commit) -> Commit:
        return replaced(commit, reads={})


class MarksAnotherEvent(_Flawed):
    """The done-marker is not where it is looked for."""

    def altered(self, commit: Commit) -> Commit:
        return replaced(commit, work=commit.work._replace(id=f"not {commit.work.id}"))


class LosesWrites(_Flawed):
    """The last change of a handler that makes more than one is not made."""

    def altered(self, commit: Commit) -> Commit:
        return replaced(commit, writes=dict([*commit.writes.items()][:1]))


class KeepsHalf(_Flawed):
    """The state changes even where the rest of the commit comes to nothing."""

    def altered(self, commit: Commit) -> Commit:
        half = Commit(commit.work._replace(handler="half"), commit.event, commit.outcome, writes=commit.writes)
        super(_Flawed, self).commit(half)  # type: ignore[misc]
        return replaced(commit, writes={})


class AsksTwice(_Flawed):
    """Each effect is asked for twice."""

    def altered(self, commit: Commit) -> Commit:
        return replaced(commit, effects=[*commit.effects, *commit.effects])


class LosesEffects(_Flawed):
    """No effect is asked for."""

    def altered(self, commit: Commit) -> Commit:
        return replaced(commit, effects=())


class AnswersTwice(_Flawed):
    """The reply follows although its sender waits for it."""

    def altered(self, commit: Commit) -> Commit:
        return replaced(commit, run=Run(answered=True))


class NeverFollowsUp(_Flawed):
    """Who was answered without the reply never gets it."""

    def altered(self, commit: Commit) -> Commit:
        return replaced(commit, follow_up=None)


class TakesTheAbandoned(_Flawed):
    """A run that was given up commits all the same."""

    def altered(self, commit: Commit) -> Commit:
        return replaced(commit, run=Run(answered=bool(commit.run and commit.run.answered)))


class NeverMarksEffects:
    """What was performed stays pending."""

    def performed(self, effect: PendingEffect, result: Mapping[str, Any]) -> None:
        """Do nothing."""


class NeverGivesUp:
    """What was given up stays pending."""

    def postponed(self, effect: PendingEffect, reason: str, given_up: bool) -> None:  # noqa: ARG002
        super().postponed(effect, reason, False)  # type: ignore[misc]


FLAWS = [
    *(ChecksNothing, MarksAnotherEvent, LosesWrites, KeepsHalf, AsksTwice, LosesEffects),
    *(AnswersTwice, NeverFollowsUp, TakesTheAbandoned, NeverMarksEffects, NeverGivesUp),
]


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_store_with_a_flaw_is_found_out(flaw: type) -> None:
    flawed = type(flaw.__name__, (flaw, MemoryStore), {})

    assert_found_out(lambda: OnMemory(flawed))


class Careless(OnSqlite):
    """A disk that loses what was written last when the process dies."""

    files = ("state.db",)


def test_a_commit_that_does_not_survive_a_crash_is_found_out() -> None:
    assert_found_out(Careless)


def assert_found_out(process: Process) -> None:
    with pytest.raises(AssertionError):
        play(process, 300, phases=[Phase.generate], database=None, derandomize=True, print_blob=False)
