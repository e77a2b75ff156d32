"""What a person does to a platform's state: the one place that the console and the commands go through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from os.path import exists
from pathlib import Path
from typing import Any

from botplatform import codec
from botplatform.engine import Engine
from botplatform.errors import Rejected
from botplatform.event import JSON, Event
from botplatform.hosts.local.dispatch import Dispatcher
from botplatform.hosts.local.recorder import forget_crashes
from botplatform.hosts.local.replay import into_inbox, replay
from botplatform.rehearsal import Rehearsal
from botplatform.router import Router
from botplatform.source import MASK, masked
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.inbox import Waiting
from botplatform.stores.sqlite.opening import restore_at_start
from botplatform.stores.sqlite.search import Search

# What one answer holds at most; whoever wants more asks for what comes behind.
PAGE = 1000


class Operations:
    """Looks at and changes what one platform keeps.

    `router` gives the one there is now. `dispatcher` is that of the running platform; without it, what is to be
    handled again waits for the next start. A letter is a dict of JSON values: `number`, `source`, `id`, `type`,
    `subject`, `handler`, `attempts`, `reason`, and when it was given up, `changed` (Unix time in seconds). Every method
    may raise StateUnavailable.
    """

    def __init__(
        self,
        store: SqliteStore,
        engine: Engine,
        router: Callable[[], Router],
        dispatcher: Dispatcher | None = None,
        restart: Callable[[], None] | None = None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._router = router
        self._dispatcher = dispatcher
        self._restart = restart

    @property
    def runs(self) -> bool:
        """Whether the platform runs, and does at once what it is asked to do again."""
        return self._dispatcher is not None

    def dead_letters(self, search: Search, after: int = 0, limit: int = PAGE) -> list[dict[str, Any]]:
        """Up to `limit` dead letters behind number `after`, oldest first."""
        return [_listed(letter) for letter in self._store.inbox.dead_letters(search, after, limit)]

    def dead_letter(self, number: int) -> dict[str, Any]:
        """One dead letter with its `envelope`, secrets masked; raises Rejected when there is none of that number.

        `event` is the number of its event in the log, None when the log has forgotten it.
        """
        letter = self._find(number)
        envelope = masked(letter.event, self._secrets(letter.event))
        return {**_listed(letter), "envelope": codec.decode(envelope), "event": self._entry_of(letter.event)}

    def retry(self, numbers: Sequence[int]) -> int:
        """Have dead letters handled once more, as if for the first time; returns how many of these there were."""
        revived = self._store.inbox.revive(numbers)
        forget_crashes(self._store, [letter.work for letter in revived])
        if self._dispatcher:
            for letter in revived:
                self._dispatcher.runs.forgive(letter.work)
            self._dispatcher.resume(revived)
        self._count("dead letters retried", len(revived))
        return len(revived)

    def edit(self, number: int, data: Any) -> None:
        """Give a dead letter other `data`, a JSON value; where that has a mask, the secret behind it stays.

        The attributes of the event stay. Raises Rejected when there is no such dead letter.
        """
        event = self._find(number).event
        whole = unmasked(data, event.data, self._secrets(event))
        edited = event.replace(data=whole, data_json=None, datacontenttype=JSON)
        if not self._store.inbox.edit(number, edited):
            raise _gone(number)
        self._count("dead letters edited", 1)

    def drop(self, numbers: Sequence[int]) -> int:
        """Forget dead letters; the log says so. Returns how many of these there were."""
        dropped = self._store.inbox.drop(numbers)
        self._count("dead letters dropped", dropped)
        return dropped

    def rehearse(self, numbers: Sequence[int], handler: str = "") -> list[dict[str, Any]]:
        """What the handlers, or only the one named, would make of logged events now, each after the one before.

        A dict for each event and handler: the `number` of the event, and what `Rehearsed.to_dict` gives. Nothing is
        kept and no effect performed. Raises Rejected for a number without an event.
        """
        engine = self._engine
        rehearsal = Rehearsal(self._router(), engine.sources, self._store, engine.clock(), engine.plugins)
        return [
            {"number": number, **rehearsed.to_dict()}
            for number in numbers
            for rehearsed in rehearsal.run(self._logged(number), handler)
        ]

    def replay(self, numbers: Sequence[int], handler: str = "", effects: bool = True) -> list[str]:
        """Have logged events handled again, by all handlers or the one named; returns the ids of the new events.

        Raises Rejected for a number without an event, before anything is done, and Retry where there is no room.
        """
        events = [self._logged(number) for number in numbers]
        if self._dispatcher:
            submit: Callable[[Event], object] = partial(self._dispatcher.submit, durable=True)
        else:
            submit = into_inbox(self._store, self._router(), self._engine.clock())
        replayed = replay(submit, events, handler, effects)
        self._count("events replayed", len(replayed))
        return replayed

    def backup(self, path: Path) -> int:
        """Copy the state into a new file while everything goes on; returns its size in bytes.

        Raises Rejected unless `path` is absolute and free.
        """
        if not path.is_absolute():
            raise Rejected(f"{path} is no absolute path", "path")
        if exists(path):
            raise Rejected(f"{path} is there already: name a new file", "path")
        self._store.backup(path)
        return path.stat().st_size

    def restore(self, path: Path) -> int:
        """Have a backup take the place of the state; returns its size in bytes once all is ready for that.

        The platform then finishes what is under way and starts anew. Raises StateUnavailable for what is no sound
        state, and Rejected where nobody would start the platform anew.
        """
        if self._restart is None:
            raise Rejected("this platform cannot be started anew from here: stop it, and restore then")
        size = restore_at_start(path, self._store.path)
        self._restart()
        return size

    def _logged(self, number: int) -> Event:
        event = self._store.log.envelope(number)
        if event is None:
            raise Rejected(f"number {number} of the log is no event that could be handled again")
        return event

    def _find(self, number: int) -> Waiting:
        letter = self._store.inbox.dead_letter(number)
        if letter is None:
            raise _gone(number)
        return letter

    def _entry_of(self, event: Event) -> int | None:
        entries = (self._store.log.event(number) for number in self._store.log.by_id(event.id))
        return next((entry["number"] for entry in entries if entry and entry["source"] == event.source), None)

    def _secrets(self, event: Event) -> frozenset[str]:
        return self._engine.source_of(event).secrets

    def _count(self, what: str, times: int) -> None:
        if self._dispatcher and times:
            self._dispatcher.count(what, times)


def _gone(number: int) -> Rejected:
    return Rejected(f"there is no dead letter {number}")


def _listed(letter: Waiting) -> dict[str, Any]:
    event = letter.event
    return {
        "number": letter.number,
        "source": event.source,
        "id": event.id,
        "type": event.type,
        "subject": event.subject,
        "handler": letter.handler,
        "attempts": letter.attempts,
        "reason": letter.reason,
        "changed": letter.changed,
    }


def unmasked(edited: Any, original: Any, secrets: frozenset[str]) -> Any:
    """What somebody edited who saw masks in place of secrets, with those secrets back in their places."""
    if isinstance(edited, list) and isinstance(original, list):
        known = [*original, *edited[len(original) :]]
        return [unmasked(item, there, secrets) for item, there in zip(edited, known, strict=False)]
    if isinstance(edited, dict) and isinstance(original, dict):
        hidden = {name for name in secrets & original.keys() if edited.get(name) == MASK}
        return {
            name: original[name] if name in hidden else unmasked(value, original.get(name), secrets)
            for name, value in edited.items()
        }
    return edited
