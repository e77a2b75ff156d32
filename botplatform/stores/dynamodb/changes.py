"""What a unit of work read and changes, as actions that only happen while all it relied on holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from botplatform.errors import Conflict
from botplatform.state import VALUES_LIMIT, applied
from botplatform.store import Change, StateKey, Write
from botplatform.stores.dynamodb.items import (
    Action,
    Item,
    Key,
    at_version,
    check,
    delete,
    new_version,
    put,
    state_key,
    whole_seconds,
)
from botplatform.values import NamedTuple

Get = Callable[[Key], Item | None]
# Amazon DynamoDB, "TransactWriteItems": 100 actions, of which one is the marker's and one its host's.
LIMIT = VALUES_LIMIT + 1


class Planned(NamedTuple):
    """What is to be done to one value, and what it makes of it: None where nothing."""

    action: Action
    change: Change | None = None


def planned(
    reads: Mapping[StateKey, int],
    writes: Mapping[StateKey, Write],
    get: Get,
    now: float,
    found: Mapping[StateKey, bytes | None] = MappingProxyType({}),
) -> dict[StateKey, Planned]:
    """One action for each value that was read (at that version) or is to change; `get` is what is there now.

    What there was before is told where it is known without asking for it: `found` are values that were read. Raises
    Conflict where it shows already, TypeError for a change that does not fit what is there, ValueError for more than
    one transaction can hold.
    """
    keys = [*reads, *(key for key in writes if key not in reads)]
    if len(keys) > LIMIT:
        raise ValueError(f"one event may read and change at most {LIMIT} values, not {len(keys)}")
    return {key: _planned(key, reads.get(key), writes.get(key), get, now, found) for key in keys}


def _planned(
    key: StateKey,
    read: int | None,
    write: Write | None,
    get: Get,
    now: float,
    found: Mapping[StateKey, bytes | None],
) -> Planned:
    where = state_key(key)
    as_read = None if read is None else at_version(read, now)
    if write is None:
        assert as_read, "a key is read, or changed, or both"
        return Planned(check(where, as_read))
    if write.kind in ("put", "delete"):
        item = Item(where, write.json, new_version(), whole_seconds(write.expires))
        action = delete(where, as_read) if write.kind == "delete" else put(item, as_read)
        return Planned(action, _told(Change(key, found.get(key), write.json or None, seen=key in found)))
    return _changed(key, read, write, get(where), now)


def _changed(key: StateKey, read: int | None, write: Write, there: Item | None, now: float) -> Planned:
    """Put what a value becomes in its place, for as long as it is the one that was seen just now."""
    where = state_key(key)
    if there and there.has_expired(now):
        there = None
    seen = there.version if there else 0
    if read not in (None, seen):
        raise Conflict(f"{where.sk!r} changed")
    if there and write.kind == "create":
        return Planned(check(where, at_version(seen, now)))
    before = there.json if there else None
    expires = there.expires if there else whole_seconds(write.expires)
    after = Item(where, applied(before, write), new_version(), expires)
    return Planned(put(after, at_version(seen, now)), _told(Change(key, before, after.json)))


def _told(change: Change) -> Change | None:
    """A change, unless it is known to be none."""
    return None if change.seen and change.before == change.after else change
