"""The done-marker: what came of an event in a handler, with its effects until they are performed and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botplatform import codec
from botplatform.source import EffectRequest
from botplatform.store import Commit, Outcome, PendingEffect, Work, effect_key
from botplatform.stores.dynamodb.items import Item, marker_key, new_version
from botplatform.values import NamedTuple

FORMAT = 1
# Amazon DynamoDB, "Service, account, and table quotas": 400 KB an item.
# What a handler asks for leaves room for what comes of it.
ASKED_LIMIT = 350 * 1024
NOTED_LIMIT = 375 * 1024
# Seconds a settled marker stays; Lambda, the most patient of the senders, brings an event again for six hours.
KEPT = 7 * 86400


class Asked(NamedTuple):
    """An effect in the marker: `pending`, `performed` or `given up`, and what came of it."""

    name: str
    arguments: Mapping[str, Any]
    order: str
    status: str = "pending"
    attempts: int = 0
    result: Mapping[str, Any] | None = None

    def is_like(self, other: Asked) -> bool:
        """Whether both ask for the same; in JSON, which one of them may have been through."""
        return self.name == other.name and codec.encode(self.arguments) == codec.encode(other.arguments)


class Marker(NamedTuple):
    """A marker as read or about to be written: one value, so that every change is a new one.

    `number` is that of the first effect, `due` when a sweep may take those pending, `expires` when all may go.
    """

    work: Work
    outcome: Outcome
    effects: tuple[Asked, ...]
    number: int
    version: int
    due: float | None
    expires: int | None

    @classmethod
    def of(cls, commit: Commit, number: int, version: int, now: float, due: float) -> Marker:
        """The marker of a run that commits; raises ValueError where the reply and the effects are too large for one."""
        requests = [*commit.effects]
        if commit.run and commit.run.answered and commit.follow_up:
            requests.append(commit.follow_up)
        effects = tuple(map(_asked, requests))
        return cls(commit.work, commit.outcome, effects, number, version, None, None)._timed(now, due)._fitting(commit)

    @classmethod
    def read(cls, item: Item) -> Marker:
        """The marker in an item of the table."""
        found = codec.decode(item.json)
        work = Work(found["source"], found["id"], item.key.sk)
        reply, attempts, took, suppressed = found["outcome"]
        outcome = Outcome(reply, attempts, took, tuple(suppressed), duplicate=True)
        effects = tuple(Asked(*effect) for effect in found["effects"])
        return cls(work, outcome, effects, found["number"], item.version, item.due, item.expires)

    def item(self) -> Item:
        """The item to put into the table."""
        return Item(marker_key(self.work), self._json(), self.version, self.expires, self.due)

    def pending(self) -> list[PendingEffect]:
        """The effects still to be performed."""
        return [
            PendingEffect(
                self.number + position,
                self.work,
                EffectRequest(effect.name, effect.arguments, effect.order),
                effect_key(self.work, position),
                effect.attempts,
            )
            for position, effect in enumerate(self.effects)
            if effect.status == "pending"
        ]

    def is_due(self, now: float) -> bool:
        """Whether effects are pending, and whoever was to perform them had their time."""
        return self.due is not None and self.due <= now

    def taken(self, due: float) -> Marker:
        """The same in somebody's hands until `due`."""
        return self._replace(version=new_version(), due=due)

    def asking(self, request: EffectRequest, now: float, due: float) -> Marker:
        """The same with one more effect; itself where that was asked for before."""
        asked = _asked(request)
        if any(effect.is_like(asked) for effect in self.effects):
            return self
        return self._replace(effects=(*self.effects, asked), version=new_version())._timed(now, due)

    def settled(self, number: int, status: str, result: Mapping[str, Any], now: float, due: float) -> Marker:
        """The same with what came of a pending effect; itself where that is known."""
        position = number - self.number
        effect = self.effects[position]
        if effect.status != "pending":
            return self
        settled = effect._replace(status=status, attempts=effect.attempts + 1, result=result)
        after = self._with(position, settled)._timed(now, due)
        return after if len(after._json()) <= NOTED_LIMIT else after._with(position, settled._replace(result=None))

    def _fitting(self, commit: Commit) -> Marker:
        """The same, if there is room for it, and for the reply in case that has to follow later."""
        size = len((self.asking(commit.follow_up, 0, 0) if commit.follow_up else self)._json())
        if size > ASKED_LIMIT:
            raise ValueError(f"the reply and the effects would take {size:,} bytes, {ASKED_LIMIT:,} are possible")
        return self

    def _with(self, position: int, effect: Asked) -> Marker:
        effects = (*self.effects[:position], effect, *self.effects[position + 1 :])
        return self._replace(effects=effects, version=new_version())

    def _timed(self, now: float, due: float) -> Marker:
        """Due while anything is pending, and kept for as long: without a marker, the event would be handled again."""
        if any(effect.status == "pending" for effect in self.effects):
            return self._replace(due=due, expires=None)
        return self._replace(due=None, expires=int(now + KEPT))

    def _json(self) -> bytes:
        """Plain lists and short numbers: for anything else the codec would have to import msgspec."""
        reply, attempts, took, suppressed, _ = self.outcome
        fields = {"v": FORMAT, "source": self.work.source, "id": self.work.id, "number": self.number}
        outcome = [reply, attempts, round(took, 4), list(suppressed)]
        return codec.encode({**fields, "outcome": outcome, "effects": [[*effect] for effect in self.effects]})


def _asked(request: EffectRequest) -> Asked:
    return Asked(request.name, request.arguments, request.order)
