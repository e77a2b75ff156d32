"""What a store will have once the units of work that run together are committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

    A value has the version it has beneath, for that is what a commit has to find. `seen` says whether the one that is
    run now was given something that is not beneath, or counts as if it was. Of all `works` together it is found out at
    the first question whether they are done.

    What is `flying` is on its way to what is beneath: whoever reads what is written there waits until it has landed.
    `waits` says that somebody does, `waited` how many seconds the one that is run now has so far.
    """

    def __init__(self, beneath: Beneath, works: Sequence[Work], flying: Sequence[Overlay] = ()) -> None:
        self.seen = False
        self.waits = False
        self.waited = 0.0
        self._flight = threading.Lock()
        self._flight.acquire()
        self._flying = flying
        self._beneath = beneath
        self._works = works
        self._outcomes: Mapping[Work, Outcome] | None = None
        self._known: dict[StateKey, Value] = {}
        self._writes: dict[StateKey, list[Write]] = {}

    def begin(self, seen: bool) -> None:
        """Note that another one is run now, and whether those before it count for it as if it saw what they wrote."""
        self.seen, self.waited = seen, 0.0

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
            self._await(lambda written: key == written)
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
        self._await(lambda written: written.plugin == plugin and written.key.startswith(prefix))
        names = {key.key for key in self._writes if key.plugin == plugin and key.key.startswith(prefix)}
        for name, value in self._beneath.scan(plugin, prefix):
            self._known.setdefault(StateKey(plugin, name), value)
            names.add(name)
        for name in sorted(names):
            value = self.read(StateKey(plugin, name))
            if value.json is not None:
                yield name, value

    def landed(self) -> None:
        """Have those who wait for what was written here go on: it is beneath, or came to nothing."""
        self._flight.release()

    def _await(self, wanted: Callable[[StateKey], bool]) -> None:
        for overlay in self._flying:
            if overlay._flight.locked() and any(map(wanted, overlay._writes)):
                self.waits, began = True, time.perf_counter()
                with overlay._flight:
                    pass
                self.waits, self.waited = False, self.waited + time.perf_counter() - began


def _after(json: bytes | None, writes: Iterable[Write]) -> bytes | None:
    try:
        for write in writes:
            json = None if write.kind == "delete" else applied(json, write)
    except (TypeError, ValueError) as misfit:
        raise Conflict("it was to follow a change that cannot be made") from misfit
    return json
