"""How a value becomes an item of the table, and what the table has to find before it changes one."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from os import urandom
from types import MappingProxyType
from typing import Any, Literal

from botplatform.store import StateKey, Work
from botplatform.values import NamedTuple

# Amazon DynamoDB, "Constraints": a partition key holds 1 to 2,048 bytes.
PARTITION_LIMIT = 2048
PENDING = "effect"
"""What the sparse index `pending` is keyed by: an item is in it as long as it has a time it is `due`."""

Attributes = Mapping[str, Mapping[str, str]]


class Key(NamedTuple):
    """The primary key of an item: partition and sort key."""

    pk: str
    sk: str

    def attributes(self) -> dict[str, dict[str, str]]:
        """The key as DynamoDB takes it."""
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}


class Item(NamedTuple):
    """What the table keeps under a key: JSON, the version of it, and when (Unix times, seconds) what happens to it.

    From `expires` on it is not there, and DynamoDB deletes it some day; when it is `due`, a sweep looks at it.
    """

    key: Key
    json: bytes
    version: int
    expires: int | None = None
    due: float | None = None

    def attributes(self) -> dict[str, dict[str, str]]:
        """The item as DynamoDB takes it."""
        found = {**self.key.attributes(), "json": {"S": self.json.decode()}, "version": {"N": str(self.version)}}
        if self.expires is not None:
            found["expires"] = {"N": str(self.expires)}
        if self.due is not None:
            found.update(pending={"S": PENDING}, due={"N": str(self.due)})
        return found

    @classmethod
    def of(cls, found: Attributes) -> Item:
        """An item as DynamoDB gave it."""
        return cls(
            key_of(found),
            found["json"]["S"].encode(),
            int(found["version"]["N"]),
            int(found["expires"]["N"]) if "expires" in found else None,
            float(found["due"]["N"]) if "due" in found else None,
        )

    def has_expired(self, now: float) -> bool:
        """Whether its time is over, deleted or not: DynamoDB takes days."""
        return self.expires is not None and self.expires <= now


class Condition(NamedTuple):
    """What has to hold for an item before an action on it."""

    expression: str
    values: Attributes = MappingProxyType({})

    def arguments(self) -> dict[str, Any]:
        """The condition as part of an action."""
        values = {"ExpressionAttributeValues": self.values} if self.values else {}
        return {"ConditionExpression": self.expression, **values}


class Action(NamedTuple):
    """One thing to do in a write, as TransactWriteItems knows it."""

    kind: Literal["Put", "Delete", "ConditionCheck"]
    arguments: Mapping[str, Any]


NEW = Condition("attribute_not_exists(pk)")


def key_of(found: Attributes) -> Key:
    """The key of an item, as DynamoDB gave it."""
    return Key(found["pk"]["S"], found["sk"]["S"])


def state_key(key: StateKey) -> Key:
    """Where a value of a plugin is kept."""
    return Key(f"state#{key.plugin}", key.key)


def marker_key(work: Work) -> Key:
    """Where the done-marker of a handler's share of an event is kept."""
    source, id_ = (part.replace("%", "%25").replace("#", "%23") for part in (work.source, work.id))
    pk = f"done#{source}#{id_}"
    return Key(pk if len(pk.encode()) <= PARTITION_LIMIT else f"done##{_hashed(pk)}", work.handler)


def at_version(version: int, now: float) -> Condition:
    """That an item has a version; version 0 is that of what is not there, or not any more."""
    clock = {":now": {"N": str(now)}}
    if version == 0:
        return Condition("attribute_not_exists(pk) OR expires <= :now", clock)
    there = "version = :version AND (attribute_not_exists(expires) OR expires > :now)"
    return Condition(there, {":version": {"N": str(version)}, **clock})


def unchanged(version: int) -> Condition:
    """That an item is still the one that had this version, whether its time is over or not."""
    return Condition("version = :version", {":version": {"N": str(version)}})


def put(item: Item, condition: Condition | None = None) -> Action:
    """Put an item in the place of whatever is under its key."""
    return Action("Put", {"Item": item.attributes(), **(condition.arguments() if condition else {})})


def delete(key: Key, condition: Condition | None = None) -> Action:
    """Delete an item, if there is one."""
    return Action("Delete", {"Key": key.attributes(), **(condition.arguments() if condition else {})})


def check(key: Key, condition: Condition) -> Action:
    """Change nothing, and let nothing else happen unless the condition holds."""
    return Action("ConditionCheck", {"Key": key.attributes(), **condition.arguments()})


def new_version() -> int:
    """A version no item ever had: where one was deleted and made again, counting on would repeat one."""
    return int.from_bytes(urandom(8)) | 1


def whole_seconds(expires: float | None) -> int | None:
    """A time as DynamoDB's time to live wants it: a fraction of a second late rather than early."""
    return None if expires is None else ceil(expires)


def _hashed(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()
