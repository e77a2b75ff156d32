"""A plugin's state as its handlers see it: a mapping whose changes wait for the commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from botplatform import codec
from botplatform.durations import seconds
from botplatform.store import NOTHING, Change, Readable, StateKey, Value, Write

# Amazon DynamoDB, "Service, account, and table quotas": 400 KB an item, its names included.
VALUE_LIMIT = 390 * 1024
# Amazon DynamoDB, "TransactWriteItems": 100 actions, a read that is checked being one too, and 4 MB. The done-marker
# takes one of them and up to 400 KB, and a host may have something of its own to remember.
VALUES_LIMIT = 98
TOTAL_LIMIT = 3_500 * 1024
# So few values cannot be too large together.
_FEW = TOTAL_LIMIT // VALUE_LIMIT
# To count with natural numbers of so few digits takes no JSON library.
_SHORT = 15
# A log is for reading: of a larger value it tells the size.
TOLD_LIMIT = 16 * 1024


class State:
    """JSON values by name, private to the plugin.

    What a handler read is checked at the commit: had somebody changed it meanwhile, the handler runs again. `add`,
    `append` and `create` read nothing, so they never conflict. A value that was read is a copy: to change it, set it.
    """

    __slots__ = ("_now", "_plugin", "_read", "_store", "_writes")

    def __init__(self, store: Readable, plugin: str, now: float, beside: State | None = None) -> None:
        """`beside` is another state of the same unit of work, if there is one: they are committed together."""
        self._store = store
        self._plugin = plugin
        self._now = now
        self._read: dict[StateKey, Value] = {} if beside is None else beside._read
        self._writes: dict[StateKey, Write] = {} if beside is None else beside._writes

    def get(self, key: str, default: Any = None) -> Any:
        """The value, `default` when there is none."""
        json = self._current(self._named(key))
        return default if json is None else codec.decode(json)

    def __getitem__(self, key: str) -> Any:
        json = self._current(self._named(key))
        if json is None:
            raise KeyError(key)
        return codec.decode(json)

    def __contains__(self, key: str) -> bool:
        return self._current(self._named(key)) is not None

    def __setitem__(self, key: str, value: Any) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        self._put(self._named(key), Write("delete"))

    def set(self, key: str, value: Any, expires: str | timedelta | None = None) -> None:
        """Replace the value; it is gone after `expires` ("7d"), if given."""
        until = None if expires is None else self._now + seconds(expires)
        self._put(self._named(key), Write("put", codec.encode(value), until))

    def create(self, key: str, value: Any) -> None:
        """Set the value unless there is one by the time of the commit: the first writer wins."""
        self._change(self._named(key), Write("create", codec.encode(value)))

    def add(self, key: str, amount: float = 1) -> None:
        """Add to a number, 0 when there is none."""
        self._change(self._named(key), Write._make(("add", codec.encode(amount), None, b"")))

    def append(self, key: str, *items: Any) -> None:
        """Append to a list, [] when there is none."""
        self._change(self._named(key), Write("append", codec.encode(list(items))))

    def items(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """The names that begin with `prefix` and their values, sorted.

        Each value seen is checked at the commit; one that appears meanwhile goes unnoticed.
        """
        stored = {StateKey(self._plugin, name): value for name, value in self._store.scan(self._plugin, prefix)}
        for key, value in stored.items():
            if key not in self._read:
                self._remember(key, value)
        changed = [key for key in self._writes if key.plugin == self._plugin and key.key.startswith(prefix)]
        for key in sorted({*stored, *changed}):
            json = self._current(key)
            if json is not None:
                yield key.key, codec.decode(json)

    def reads(self) -> Mapping[StateKey, int]:
        """The versions the commit has to find unchanged."""
        return {key: value.version for key, value in self._read.items()} if self._read else NOTHING

    def found(self) -> Mapping[StateKey, bytes | None]:
        """What was there where the handler looked, as JSON."""
        return {key: value.json for key, value in self._read.items()} if self._read else NOTHING

    def writes(self) -> dict[StateKey, Write]:
        """The changes the commit has to make."""
        return self._writes.copy()

    def _named(self, key: object) -> StateKey:
        # Amazon DynamoDB, "Constraints": a sort key holds 1 to 1,024 bytes.
        if not isinstance(key, str) or not 0 < (len(key) if key.isascii() else len(key.encode())) <= 900:
            raise ValueError(f"a state name is a text of 1 to 900 bytes, not {key!r:.60}")
        return StateKey._make((self._plugin, key))

    def _current(self, key: StateKey) -> bytes | None:
        """The value as this handler sees it: what is stored, and its own changes on top."""
        write = self._writes.get(key)
        if write is not None and write.kind in ("put", "delete"):
            return write.json or None
        if key not in self._read:
            self._remember(key, self._store.read(key))
        stored = self._read[key].json
        return stored if write is None else applied(stored, write)

    def _remember(self, key: StateKey, value: Value) -> None:
        if len(self._read) + len(self._writes) >= _FEW:
            self._check_room(key, value.json or b"")
        self._read[key] = value

    def _put(self, key: StateKey, write: Write) -> None:
        if len(write.json) > VALUE_LIMIT or len(self._read) + len(self._writes) >= _FEW:
            self._check_room(key, _fitting(write.json, key))
        self._writes[key] = write

    def _check_room(self, key: StateKey, json: bytes) -> None:
        """Refuse more values, or more of them all, than any store could commit at once."""
        held: dict[StateKey, Value | Write] = {**self._read, **self._writes}
        sizes = {**{name: len(value.json or b"") for name, value in held.items()}, key: len(json)}
        if len(sizes) > VALUES_LIMIT:
            raise ValueError(f"a handler may read and change at most {VALUES_LIMIT} values for one event")
        if sum(sizes.values()) > TOTAL_LIMIT:
            raise ValueError(f"a handler may read and change at most {TOTAL_LIMIT:,} bytes for one event")

    def _change(self, key: StateKey, change: Write) -> None:
        """Put `change` on top of what this handler did to the value before."""
        before = self._writes.get(key)
        if before is None:
            self._put(key, change)
        elif before.kind in ("put", "delete"):
            self._put(key, Write("put", applied(before.json or None, change), before.expires))
        elif change.kind == "create":
            return  # what came before it made sure that there is one
        elif before.kind == "create":
            self._put(key, Write(change.kind, change.json, initial=before.json))
        else:
            self._put(key, Write(before.kind, applied(before.json, change), initial=before.initial))


def applied(stored: bytes | None, write: Write) -> bytes:
    """What a stored value (None: there is none) becomes by a `put`, `create`, `add` or `append`.

    Raises TypeError where they do not go together, ValueError for what becomes too large.
    """
    kind, json, before = write.kind, write.json, stored or write.initial
    if kind == "put" or not before:
        return json
    if kind == "create":
        return before
    if kind == "add" and len(before) <= _SHORT >= len(json) and before.isdigit() and json.isdigit():
        return b"%d" % (int(before) + int(json))
    value, change = codec.decode(before), codec.decode(json)
    wanted: Any = list if kind == "append" else (int, float)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise TypeError(f"cannot {kind} to a {type(value).__name__}")
    return _fitting(codec.encode(value + change))


def told(change: Change) -> dict[str, Any]:
    """A change as the log has it: `plugin`, `key`, and the values `before` and `after`, where there were any.

    Of values over 16 KiB there is only the `size` in bytes afterwards; `seen` is False where nobody looked what there
    was before.
    """
    about: dict[str, Any] = {**change.key._asdict(), **({} if change.seen else {"seen": False})}
    values = {"before": change.before, "after": change.after}
    if max(len(json or b"") for json in values.values()) > TOLD_LIMIT:
        return {**about, "size": len(change.after or b"")}
    return about | {name: codec.decode(json) for name, json in values.items() if json is not None}


def _fitting(json: bytes, key: StateKey | None = None) -> bytes:
    if len(json) > VALUE_LIMIT:
        what = f"state {key.key!r}" if key else "a value in the state"
        raise ValueError(f"{what} would take {len(json):,} bytes, {VALUE_LIMIT:,} are possible")
    return json
