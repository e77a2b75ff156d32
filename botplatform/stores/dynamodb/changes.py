"""What a unit of work read and changes, as actions that only happen while all it relied on holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from botplatform.errors import Conflict
from botplatform.state import VALUES_LIMIT, applied
from botplatform.store import StateKey, Write
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

Get = Callable[[Key], Item | None]
# Amazon DynamoDB, "TransactWriteItems": 100 actions, of which one is the marker's and one its host's.
LIMIT = VALUES_LIMIT + 1


def planned(
    reads: Mapping[StateKey, int], writes: Mapping[StateKey, Write], get: Get, now: float
) -> dict[StateKey, Action]:
    """One action for each value that was read (at that version) or is to change; `get` is what is there now.

    Raises Conflict where it shows already, TypeError for a change that does not fit what is there, ValueError for
    more than one transaction can hold.
    """
    keys = [*reads, *(key for key in writes if key not in reads)]
    if len(keys) > LIMIT:
        raise ValueError(f"one event may read and change at most {LIMIT} values, not {len(keys)}")
    return {key: _action(key, reads.get(key), writes.get(key), get, now) for key in keys}


def _action(key: StateKey, read: int | None, write: Write | None, get: Get, now: float) -> Action:
    where = state_key(key)
    as_read = None if read is None else at_version(read, now)
    if write is None:
        assert as_read, "a key is read, or changed, or both"
        return check(where, as_read)
    if write.kind == "put":
        return put(Item(where, write.json, new_version(), whole_seconds(write.expires)), as_read)
    if write.kind == "delete":
        return delete(where, as_read)
    return _change(where, read, write, get(where), now)


def _change(where: Key, read: int | None, write: Write, there: Item | None, now: float) -> Action:
    """Put what a value becomes in its place, for as long as it is the one that was seen just now."""
    if there and there.has_expired(now):
        there = None
    seen = there.version if there else 0
    if read not in (None, seen):
        raise Conflict(f"{where.sk!r} changed")
    if there is None:
        changed = Item(where, applied(None, write), new_version(), whole_seconds(write.expires))
    elif write.kind == "create":
        return check(where, at_version(seen, now))
    else:
        changed = Item(where, applied(there.json, write), new_version(), there.expires)
    return put(changed, at_version(seen, now))
