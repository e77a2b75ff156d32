"""What an effect is: one way to change the outside world, asked for by a handler and performed after its commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from botplatform.event import Event


@dataclass(frozen=True)
class Effect:
    """One kind of effect.

    `perform(arguments, key)` does it and returns what the log shall show. `key` is the same whenever the same effect
    is tried again: hand it on where the outside offers to tell duplicates by it. It raises Retry when trying again
    later may help, Rejected when it cannot. `destination` says in a few words where it goes (`Amazon SNS`, `outbox`).
    """

    name: str
    perform: Callable[[Mapping[str, Any], str], Mapping[str, Any]]
    destination: str


class Host(Protocol):
    """What a host lends to effects: the connections it holds anyway."""

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Publish to MQTT and return once the broker took it; raises Retry."""

    def accept(self, event: Event) -> None:
        """Take an event in and return once it is durable."""
