"""The contract between the engine and whatever keeps state: the same for every store, checked by the same tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from botplatform.errors import Conflict
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.source import EffectRequest

    FollowUp: TypeAlias = EffectRequest | Callable[[], EffectRequest | None] | None

NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})
"""No values, or no changes."""


class Work(NamedTuple):
    """Names one handler's share of one event: what is done once."""

    source: str
    id: str
    handler: str


class StateKey(NamedTuple):
    """Names one value in the state; each plugin sees only its own."""

    plugin: str
    key: str


class Value(NamedTuple):
    """A value as read: its JSON bytes (None where there is none) and the version to check at the commit."""

    json: bytes | None
    version: int = 0


class Write(NamedTuple):
    """One change to one value, applied at the commit to whatever is there then.

    `put` JSON bytes replace, None deletes; `create` JSON bytes are for a value that is not there (first writer wins);
    `add` and `append` change a number and a list, or `initial` where there is none. `expires` is a Unix time in
    seconds; changing a value leaves it as it is.
    """

    kind: Literal["put", "delete", "create", "add", "append"]
    json: bytes = b""
    expires: float | None = None
    initial: bytes = b""


class Outcome(NamedTuple):
    """What came of one event in one handler: the done-marker that keeps it from running again.

    `reply` is what `Reply.to_dict` gave, `took` the seconds the handler ran, `attempts` how often it was tried,
    `suppressed` what it asked for and was not to happen. `duplicate` says that this outcome was there before.
    """

    reply: Mapping[str, Any] | None = None
    attempts: int = 1
    took: float = 0.0
    suppressed: Sequence[str] = ()
    duplicate: bool = False


class PendingEffect(NamedTuple):
    """A committed effect that is still to be performed; `number` orders them, `key` never changes."""

    number: int
    work: Work
    request: EffectRequest
    key: str
    attempts: int = 0


def effect_key(work: Work, position: int) -> str:
    """The `key` of the effect that a handler asked for in this place, counted from 0."""
    return "|".join((*work, str(position)))


class Commit:
    """All that one run of one handler wants to happen, together or not at all.

    `work` is a share of this very `event`: it has its source and its id.

    `follow_up` is the effect that brings the reply to whoever was answered without it; as that is seldom so, it may be
    given as what makes it. `also` are values that a host puts with it, under names that no plugin has: the very same
    for several, perhaps.

    `found` are the JSON bytes of what it read (None: there was nothing), for stores that do not look again.

    `chained` says, where several are submitted in one call (`SqliteStore.submit`; elsewhere it means nothing), that the
    handler saw what the earlier ones of that call write. If any of those changes nothing, because it fails or its work
    was done before, this one fails with Conflict; and `reads` have the versions there were before the call.
    """

    __slots__ = (
        "_follow_up",
        "also",
        "chained",
        "effects",
        "event",
        "found",
        "outcome",
        "reads",
        "run",
        "work",
        "writes",
    )

    def __init__(
        self,
        work: Work,
        event: Event,
        outcome: Outcome,
        reads: Mapping[StateKey, int] = NOTHING,
        writes: Mapping[StateKey, Write] = NOTHING,
        effects: Sequence[EffectRequest] = (),
        follow_up: FollowUp = None,
        run: Run | None = None,
        found: Mapping[StateKey, bytes | None] = NOTHING,
        also: Mapping[StateKey, Write] = NOTHING,
        chained: bool = False,
    ) -> None:
        self.work = work
        self.event = event
        self.outcome = outcome
        self.reads = reads
        self.writes = writes
        self.effects = effects
        self._follow_up = follow_up
        self.run = run
        self.found = found
        self.also = also
        self.chained = chained

    @property
    def follow_up(self) -> EffectRequest | None:
        """The effect that brings the reply to whoever was answered without it, if there is one."""
        if callable(self._follow_up):
            self._follow_up = self._follow_up()
        return self._follow_up

    @property
    def all_writes(self) -> Mapping[StateKey, Write]:
        """What the handler changed, and what the host has to remember with it."""
        return {**self.writes, **self.also} if self.also else self.writes


class Run:
    """What others may have decided about a handler's run by the time it commits.

    `abandoned` refuses the commit, `answered` turns the reply into its follow-up effect, `inboxed` takes the event
    out of the inbox. `left` says that another run performs what effects are still to be performed, `takes_over` that
    this is that run. `attempt` counts from 1. A store either reads it inside its commit, where whatever changes it is
    kept out, or asks `begin_commit` first: so there is no gap for luck.
    """

    __slots__ = ("_committing", "abandoned", "answered", "attempt", "inboxed", "left", "takes_over")
    # One for all runs, since nothing takes any time that it guards.
    _lock = threading.Lock()

    def __init__(
        self,
        abandoned: bool = False,
        answered: bool = False,
        inboxed: bool = False,
        attempt: int = 1,
        takes_over: bool = False,
    ) -> None:
        self.abandoned = abandoned
        self.answered = answered
        self.inboxed = inboxed
        self.attempt = attempt
        self.takes_over = takes_over
        self.left = False
        self._committing = False

    def begin_commit(self) -> bool:
        """Whether the run may commit: False once it is abandoned. From now on it cannot be abandoned any more."""
        with self._lock:
            self._committing = not self.abandoned
            return self._committing

    def rolled_back(self) -> None:
        """Nothing came of the commit that had begun: while the handler runs once more, it can be abandoned again."""
        with self._lock:
            self._committing = False

    def abandon(self) -> bool:
        """Give the run up, so that nothing of it happens; False when its commit has begun, and has to be waited for."""
        with self._lock:
            self.abandoned = not self._committing
            return self.abandoned


class Abandoned(Conflict):
    """The run was given up before it committed: nothing of it happened."""


class Change(NamedTuple):
    """What a commit made of one value: its JSON bytes before and after, None where there is none.

    `seen` is False where the store did not have to look what was there before.
    """

    key: StateKey
    before: bytes | None
    after: bytes | None
    seen: bool = True


class Committed(NamedTuple):
    """The outcome that holds, ours or that of whoever came first, the effects to perform now, and what we changed."""

    outcome: Outcome
    effects: Sequence[PendingEffect] = ()
    changes: Sequence[Change] = ()


class Readable(Protocol):
    """Values that can be read: those of a store, or what one had at some time, or will have."""

    def read(self, key: StateKey) -> Value:
        """One value and its version; an expired one is not there."""

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        """The values of a plugin whose keys begin with `prefix`, in order of their keys."""


class Store(Readable, Protocol):
    """Keeps markers, state and pending effects; safe to use from any thread.

    Every method may raise StateUnavailable. `keeps` says whether anything is kept at all: where nothing is, work is
    done again each time its event comes, and a run that read, changed and asked for nothing is not committed.
    """

    keeps: bool

    def outcome(self, work: Work) -> Outcome | None:
        """The outcome of work that is done, else None."""

    def commit(self, commit: Commit) -> Committed:
        """Apply all of it in one transaction; raises Conflict when a version read is no longer current.

        Raises TypeError when a change does not fit the value there is: a number added to a text.
        Work that is done already keeps its outcome, and only its effects still pending are returned (where processes
        share a store, those that no other one is about to perform). If `commit.outcome` is the one of that work, and
        the sender was answered without its reply (`commit.run.answered`), `commit.follow_up` becomes one more, once.
        """

    def pending(self) -> list[PendingEffect]:
        """The effects committed and not yet performed or given up, oldest first; for a process that will perform them.

        Where processes share a store, those that another one is about to perform are left out.
        """

    def performed(self, effect: PendingEffect, result: Mapping[str, Any]) -> None:
        """Mark an effect as performed, with what came of it."""

    def postponed(self, effect: PendingEffect, reason: str, given_up: bool) -> None:
        """Count a failed attempt, or give the effect up, with the reason."""

    def close(self) -> None:
        """Finish what is under way and let go of the store."""


OpenStore = Callable[[str, Mapping[str, str]], Store]
"""Opens the store a URL names (`sqlite:state.db`), with the settings."""
