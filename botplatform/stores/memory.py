"""The store contract in memory: for a rehearsal, which begins with what another store has and leaves that as it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from botplatform import codec
from botplatform.errors import Conflict
from botplatform.source import EffectRequest
from botplatform.state import applied
from botplatform.store import (
    Abandoned,
    Change,
    Commit,
    Committed,
    Outcome,
    PendingEffect,
    Readable,
    StateKey,
    Value,
    Work,
    Write,
    effect_key,
)
from botplatform.values import NamedTuple


class _Stored(NamedTuple):
    """A value of our own, which hides the one beneath; without JSON it was deleted."""

    json: bytes | None
    version: int = 0
    expires: float | None = None


class MemoryStore:
    """A Store that lasts as long as this object.

    `clock` gives the Unix time in seconds. What was never changed here is read from `beneath`, to which nothing is
    written; markers and effects are our own only, so that an event that is done there can be handled here once more.
    """

    # One for all, and downwards since other stores count upwards: no version is one that a value beneath has.
    _versions = count(-1, -1)

    keeps = True

    def __init__(self, clock: Callable[[], float] = time.time, beneath: Readable | None = None) -> None:
        self._clock = clock
        self._beneath = beneath
        self._lock = threading.RLock()
        self._values: dict[StateKey, _Stored] = {}
        self._outcomes: dict[Work, Outcome] = {}
        self._requested: dict[Work, list[EffectRequest]] = {}
        self._pending: dict[int, PendingEffect] = {}
        self._numbers = count(1)

    def outcome(self, work: Work) -> Outcome | None:
        with self._lock:
            known = self._outcomes.get(work)
        return known._replace(duplicate=True) if known else None

    def read(self, key: StateKey) -> Value:
        with self._lock:
            own = self._values.get(key)
            if own is None:
                return self._beneath.read(key) if self._beneath else Value(None)
            return Value(own.json, own.version) if self._is_there(own) else Value(None)

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        with self._lock:
            found = dict(self._beneath.scan(plugin, prefix)) if self._beneath else {}
            for key, own in self._values.items():
                if key.plugin == plugin and key.key.startswith(prefix):
                    found.pop(key.key, None)
                    if self._is_there(own):
                        found[key.key] = Value(own.json, own.version)
        yield from sorted(found.items())

    def commit(self, commit: Commit) -> Committed:
        work, run = commit.work, commit.run
        with self._lock:
            known = self.outcome(work)
            changes = self._apply(commit) if known is None else []
            if run and run.answered and commit.follow_up and known and commit.outcome.duplicate:
                self._follow_up(work, commit.follow_up)
            left = [effect for effect in self._pending.values() if effect.work == work]
        return Committed(known or commit.outcome, left, changes)

    def pending(self) -> list[PendingEffect]:
        with self._lock:
            return list(self._pending.values())

    def performed(self, effect: PendingEffect, result: Mapping[str, Any]) -> None:  # noqa: ARG002
        with self._lock:
            self._pending.pop(effect.number, None)

    def postponed(self, effect: PendingEffect, reason: str, given_up: bool) -> None:  # noqa: ARG002
        with self._lock:
            known = self._pending.get(effect.number)
            if known and given_up:
                del self._pending[effect.number]
            elif known:
                self._pending[effect.number] = known._replace(attempts=known.attempts + 1)

    def close(self) -> None:
        """Nothing is open."""

    def _is_there(self, stored: _Stored) -> bool:
        return stored.json is not None and (stored.expires is None or stored.expires > self._clock())

    def _apply(self, commit: Commit) -> list[Change]:
        """Do all that a commit asks for; what it raises, it raises before anything is changed."""
        work, run = commit.work, commit.run
        self._check(commit.reads)
        version = next(self._versions)
        written = {key: self._written(key, write, version) for key, write in commit.all_writes.items()}
        outcome = commit.outcome._replace(reply=_as_stored(commit.outcome.reply))
        follow_ups = [commit.follow_up] if run and run.answered and commit.follow_up else []
        requests = [_requested(request) for request in (*commit.effects, *follow_ups)]
        if run and not run.begin_commit():
            raise Abandoned(f"{work.handler} was given up before it committed")
        changes = [Change(key, self.read(key).json, stored.json) for key, stored in written.items()]
        self._values.update(written)
        self._outcomes[work] = outcome
        self._request(work, requests)
        return [change for change in changes if change.before != change.after]

    def _check(self, reads: Mapping[StateKey, int]) -> None:
        for key, version in reads.items():
            if self.read(key).version != version:
                raise Conflict(f"{key.key!r} changed")

    def _written(self, key: StateKey, write: Write, version: int) -> _Stored:
        """What a value becomes by a change."""
        if write.kind == "delete":
            return _Stored(None, version)
        before = Value(None) if write.kind == "put" else self.read(key)
        if before.json is None:
            return _Stored(applied(None, write), version, write.expires)
        # When a value beneath expires is not known up here: once changed, it stays for as long as we do.
        own = self._values.get(key)
        unchanged = write.kind == "create"
        return _Stored(
            applied(before.json, write), before.version if unchanged else version, own.expires if own else None
        )

    def _request(self, work: Work, requests: list[EffectRequest]) -> None:
        asked = self._requested.setdefault(work, [])
        for request in requests:
            number = next(self._numbers)
            self._pending[number] = PendingEffect(number, work, request, effect_key(work, len(asked)))
            asked.append(request)

    def _follow_up(self, work: Work, follow_up: EffectRequest) -> None:
        """Ask for the reply of a run whose sender was not told it, unless that was done before."""
        request = _requested(follow_up)
        same = [known for known in self._requested[work] if known[:2] == request[:2]]
        if not same:
            self._request(work, [request])


def _as_stored(value: Any) -> Any:
    """A value as it comes back from a file: what JSON cannot hold has to fail here too."""
    return codec.decode(codec.encode(value))


def _requested(request: EffectRequest) -> EffectRequest:
    return request._replace(arguments=_as_stored(request.arguments))
