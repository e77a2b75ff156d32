"""What an effect is: one way to change the outside world, asked for by a handler and performed after its commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from botplatform.errors import Rejected, Retry
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.store import PendingEffect


class Effect(NamedTuple):
    """One kind of effect.

    `perform(arguments, key)` does it and returns what the log shall show. `key` is the same whenever the same effect
    is tried again: hand it on where the outside offers to tell duplicates by it. It raises Retry when trying again
    later may help, Rejected when it cannot. `destination` says in a few words where it goes (`Amazon SNS`, `outbox`).
    """

    name: str
    perform: Callable[[Mapping[str, Any], str], Mapping[str, Any]]
    destination: str


def perform(effects: Mapping[str, Effect], pending: PendingEffect) -> Mapping[str, Any]:
    """Perform a committed effect with the one of `effects` it names; whatever goes wrong is a Retry or Rejected."""
    kind = effects.get(pending.request.name)
    if kind is None:
        raise Rejected(f"no effect {pending.request.name!r} is installed")
    try:
        return kind.perform(pending.request.arguments, pending.key)
    except (Retry, Rejected):
        raise
    except Exception as error:
        from logging import getLogger

        getLogger(__name__).exception("effect %s failed", pending.key)
        raise Retry(f"{type(error).__name__}: {error}") from error


# The MQTT 5 user property that has the chain of a publication on its way.
CHAIN_PROPERTY = "botplatform-chain"


class Publication(NamedTuple):
    """A message for MQTT: `key` names it whenever it is tried again, `chain` has the handlers that led to it.

    `qos` is 0, 1 or 2; the names of the handlers have spaces between them, as `work.chain_of` reads them.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    key: str = ""
    chain: str = ""


class Host(Protocol):
    """What a host lends to effects: the connections it holds anyway."""

    def publish(self, message: Publication) -> None:
        """Publish to MQTT and return once the broker took it; raises Retry or Rejected."""

    def accept(self, event: Event) -> None:
        """Take an event in and return once it is durable."""
