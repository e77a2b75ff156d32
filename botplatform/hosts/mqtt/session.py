"""What an MQTT session holds, as far as the client knows: messages to acknowledge, and subscriptions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from botplatform.sources.mqtt.message import Message

_FILTERS_PER_PACKET: Final = 8  # AWS IoT Core endpoints and quotas: subscriptions in one SUBSCRIBE
_UNKNOWN: Final = -1  # the QoS of a filter that the session may have: none that is ever wanted


@dataclass(slots=True, eq=False)
class Receipt:
    """A message on its way to being acknowledged: to be called once it is durable, from any thread."""

    message: Message
    told: Callable[[], object]
    done: bool = False

    def __call__(self) -> None:
        self.done = True
        self.told()


class Acknowledgements:
    """The messages of one connection that wait for their acknowledgement, or for news of its arrival.

    They leave in the order of the messages, as MQTT 5.0, 4.6 demands, whatever is finished first: there are brokers
    (rumqttd) that break the connection otherwise. What the broker answers after them proves that they arrived. `told`
    is called with each receipt, by whoever does so; all else is for one thread.
    """

    def __init__(self, told: Callable[[], object]) -> None:
        self._told = told
        self._open: deque[Receipt] = deque()
        self._sent: dict[int, None] = {}  # packet ids, as an ordered set
        self._asked: deque[dict[int, None]] = deque()

    @property
    def worth_asking(self) -> bool:
        """Whether some have left since the broker was last asked, and no answer is awaited."""
        return bool(self._sent) and not self._asked

    def received(self, messages: Iterable[Message]) -> list[Callable[[], None]]:
        """Note messages, and return what acknowledges each; with QoS 0 there is nothing to note.

        Their packet ids are free again, so they say nothing any more of earlier messages.
        """
        receipts = [Receipt(message, self._told) if message.qos else None for message in messages]
        self._open.extend(filter(None, receipts))
        for packet_ids in filter(None, (self._sent, *self._asked)):
            for message in messages:
                packet_ids.pop(message.packet_id, None)
        return [receipt or _nothing for receipt in receipts]

    def due(self) -> list[Message]:
        """The messages to acknowledge now, in order: those that are durable, up to the first that is not."""
        leaving = []
        while self._open and self._open[0].done:
            leaving.append(self._open.popleft().message)
        self._sent.update(dict.fromkeys([message.packet_id for message in leaving]))
        return leaving

    def asked(self) -> None:
        """Note that the broker is asked for a sign, which it gives after what was sent until now."""
        self._asked.append(self._sent)
        self._sent = {}

    def answered(self) -> list[int]:
        """Note an answer, in the order of the questions: returns the packet ids whose acknowledgement arrived."""
        return list(self._asked.popleft()) if self._asked else []


def _nothing() -> None:
    """The acknowledgement of a message that has none."""


class Subscriptions:
    """The filters that are wanted and those the broker has for us, and what to ask so that they become the same.

    `held` are filters an earlier process may have left in the session.
    """

    def __init__(self, held: Iterable[str]) -> None:
        self._wanted: dict[str, int] = {}
        self._held = dict.fromkeys(held, _UNKNOWN)
        self._asked: dict[int, list[str]] = {}

    def want(self, filters: Mapping[str, int]) -> None:
        """Replace what is wanted: filters and their QoS."""
        self._wanted = dict(filters)

    def connected(self, session_present: bool) -> None:
        """Note a new connection: of what was not answered on the last one we know nothing."""
        unanswered = [name for names in self._asked.values() for name in names]
        self._held = self._held | dict.fromkeys(unanswered, _UNKNOWN) if session_present else {}
        self._asked = {}

    def to_leave(self) -> list[list[str]]:
        """What to unsubscribe from, packet by packet."""
        return _packets([name for name in self._held if name not in self._wanted])

    def to_join(self) -> list[dict[str, int]]:
        """What to subscribe to and with which QoS, packet by packet."""
        missing = [name for name, qos in self._wanted.items() if self._held.get(name) != qos]
        return [{name: self._wanted[name] for name in names} for names in _packets(missing)]

    def asked(self, packet_id: int | None, names: Iterable[str]) -> None:
        """Note that a packet with these filters was sent (None: it was not), and take it for done until answered."""
        if packet_id is None:
            return
        self._asked[packet_id] = list(names)
        for name in self._asked[packet_id]:
            self._held.pop(name, None)
            if name in self._wanted:
                self._held[name] = self._wanted[name]

    def answered(self, packet_id: int, refusals: Iterable[bool]) -> list[str]:
        """Note the answer to a packet: returns the filters that were refused."""
        names = self._asked.pop(packet_id, [])
        refused = [name for name, refusal in zip(names, refusals, strict=False) if refusal]
        for name in refused:
            self._held.pop(name, None)
        return refused


def _packets(names: list[str]) -> list[list[str]]:
    starts = range(0, len(names), _FILTERS_PER_PACKET)
    return [names[start : start + _FILTERS_PER_PACKET] for start in starts]
