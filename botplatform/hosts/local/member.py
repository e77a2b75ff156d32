"""What can be run in groups, and where its commits go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from botplatform.hosts.jobs import Answer, Finish, Job, Later, guarded
from botplatform.hosts.local.overlay import Beneath, Overlay
from botplatform.store import Commit, Committed, Work

Told = Callable[[Sequence[Committed | Exception]], None]
Came = Commit | Answer | Later
"""Of an attempt: what is to be committed, or else what is left to do."""


class GroupStore(Beneath, Protocol):
    """What the jobs read, and where their commits go."""

    def submit(self, commits: Sequence[Commit], told: Told) -> None:
        """Commit all at once, without waiting; see `SqliteStore.submit`."""


class Member(Job, Protocol):
    """A job that may run in a group."""

    work: Work

    @property
    def alone(self) -> bool:
        """Whether it has to be run by itself, by `run`."""

    @property
    def expected(self) -> float:
        """How many seconds it will probably take."""

    def attempt(self, store: Overlay) -> Came:
        """Run on what `store` has."""

    def tell_ahead(self, commit: Commit) -> Commit | None:
        """Tell who waits what a run came to, where nobody has to wait for its commit: then no lane does, either.

        Returns what is to be committed then, and the answer of `told` is None. Else returns None.
        """

    def told(self, commit: Commit, result: Committed | Exception) -> Answer | Later:
        """Learn what came of a commit; the answer is as that of `run`. Called on the store's own thread: be quick."""

    def overran(self) -> None:
        """Learn that the others in the group do not wait for it any longer."""


def told_ahead(ahead: Sequence[tuple[Member, Commit]], results: Sequence[Committed | Exception]) -> None:
    """Have jobs whose answers went ahead of their commits learn what came of those."""
    for (job, commit), result in zip(ahead, results, strict=True):
        guarded(job, job.told, commit, result)


def apart(store: GroupStore, job: Member, came: Came, seen: bool) -> Answer | Later:
    """What is left of a job that its group went on without; one that has `seen` what was not committed is run again."""
    if isinstance(came, Commit):
        return 0.0 if seen else partial(commit_alone, store, job, came)
    return came


def commit_alone(store: GroupStore, job: Member, commit: Commit, finish: Finish) -> None:
    """What is left of a run that was in no group."""

    def told(results: Sequence[Committed | Exception]) -> None:
        answer = guarded(job, job.told, ahead or commit, results[0])
        if not ahead:
            finish(answer)

    ahead = job.tell_ahead(commit)
    if ahead:
        finish(None)
    store.submit([ahead or commit], told)
