"""What a store will have once the units of work that run together are committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from botplatform.errors import Conflict
from botplatform.state import applied
from botplatform.store import Outcome, Readable, StateKey, Value, Work, Write


class Beneath(Readable, Protocol):
    """What an overlay is put on."""

    def outcomes(self, works: Sequence[Work]) -> Mapping[Work, Outcome]:
        """The outcomes of what is done of some work."""


class Overlay:
    """The values `beneath` with later writes on top, which are folded into a value when somebody reads it.

    A value has the version it has beneath, for that is what a commit has to find. `seen` says whether anybody was given
    something that is not beneath. Of all `works` together it is found out at the first question whether they are done.
    """

    def __init__(self, beneath: Beneath, works: Sequence[Work]) -> None:
        self.seen = False
        self._beneath = beneath
        self._works = works
        self._outcomes: Mapping[Work, Outcome] | None = None
        self._known: dict[StateKey, Value] = {}
        self._writes: dict[StateKey, list[Write]] = {}

    def outcome(self, work: Work) -> Outcome | None:
        """The outcome of work that was done before, else None."""
        if self._outcomes is None:
            self._outcomes = self._beneath.outcomes(self._works)
        return self._outcomes.get(work)

    def write(self, writes: Mapping[StateKey, Write]) -> None:
        """Put changes on top."""
        for key, write in writes.items():
            self._writes.setdefault(key, []).append(write)

    def read(self, key: StateKey) -> Value:
        """One value and its version beneath; raises Conflict where the writes do not go together."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._beneath.read(key)
        writes = self._writes.get(key)
        if writes is None:
            return known
        self.seen = True
        json = _after(known.json, writes)
        self._writes[key] = [Write("delete") if json is None else Write("put", json)]
        return Value(json, known.version)

    def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
        """The values of a plugin whose keys begin with `prefix`, in order of their keys."""
        names = {key.key for key in self._writes if key.plugin == plugin and key.key.startswith(prefix)}
        for name, value in self._beneath.scan(plugin, prefix):
            self._known.setdefault(StateKey(plugin, name), value)
            names.add(name)
        for name in sorted(names):
            value = self.read(StateKey(plugin, name))
            if value.json is not None:
                yield name, value


def _after(json: bytes | None, writes: Iterable[Write]) -> bytes | None:
    try:
        for write in writes:
            json = None if write.kind == "delete" else applied(json, write)
    except (TypeError, ValueError) as misfit:
        raise Conflict("it was to follow a change that cannot be made") from misfit
    return json
