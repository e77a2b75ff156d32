"""What a source is: one outside system, as functions from its records to events and from replies to its answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.reply import Reply
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.subscription import Subscription


MASK = "***"
UNREAD: Final = object()
"""In place of a value that nobody has decoded."""
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Raw:
    """Bytes as they came from outside, with the headers (lower-case names) that came along, if any.

    `value` is what they hold as JSON, where that is known already.
    """

    __slots__ = ("body", "headers", "value")  # there is one for each event: a tuple with names takes twice the time

    def __init__(self, body: bytes, headers: Mapping[str, str] = NO_HEADERS, value: Any = UNREAD) -> None:
        self.body = body
        self.headers = headers
        self.value = value

    def read(self, decode: Callable[[bytes], Any]) -> Any:
        """What the bytes hold, by `decode` where it is not known."""
        return decode(self.body) if self.value is UNREAD else self.value

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty when none was sent."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class EffectRequest(NamedTuple):
    """An effect somebody asked for: its name and its JSON arguments. Those with one `order` are performed in order."""

    name: str
    arguments: Mapping[str, Any]
    order: str = ""

    def shown(self) -> dict[str, Any]:
        """The arguments as tools may show them: whoever knows a response_url can write in its conversation."""
        return {name: MASK if name == "response_url" else value for name, value in self.arguments.items()}


class Post(NamedTuple):
    """An HTTP request to be made: POST `body` to `url` with `headers`."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def _nobody_waits(event: Event) -> None:
    del event


def _no_answer(event: Event, reply: Reply | None) -> dict[str, Any]:
    del event, reply
    return {}


def _nothing_meanwhile(event: Event) -> None:
    del event


def _no_handshake(event: Event) -> bool:
    del event
    return False


def _no_objection(subscription: Subscription) -> None:
    del subscription


def _nothing_to_say(event: Event, known: Sequence[Subscription]) -> None:
    del event, known


class Reading(NamedTuple):
    """How the bytes of one event are read no further than patterns look at it; both functions are pure.

    - `fingerprint(body)`: what equals that of other events for which the patterns see the same. It raises one of
      `codec.undecodable()` where the bytes hold something else, or where only reading all of them can tell.
    - `glimpse(body)`: what the patterns see, as the event's JSON form has it, in bytes that have a fingerprint.
    """

    fingerprint: Callable[[bytes], Hashable]
    glimpse: Callable[[bytes], Mapping[str, Any]]


class Source(NamedTuple):
    """All the platform knows about one outside system; every function is pure, and left out where there is no need.

    - `recognizes(value)`: whether a decoded record, met without saying where it comes from, is this source's.
    - `normalize(raw)`: the events in some bytes, and a Rejected in place of each record that cannot be read.
    - `reply_within(event)`: the seconds somebody waits for the reply; None when nobody does.
    - `render(event, reply)`: the answer, as JSON, for whoever waits; `reply` is None when no handler gave one.
    - `meanwhile(event)`: what to send to the outside system so that somebody who waits hears that it takes a while;
      None where it cannot tell them.
    - `late`: the answer for somebody who cannot wait any longer, while a handler goes on.
    - `handshake(event)`: whether an event is only the outside system asking whether we are there; no handler sees it.
    - `follow_up(event, reply)`: the effect that brings a reply to where nobody waits any more, if there is one.
    - `identify(event, known)`: the event under the id its sender gave it, where one of its subscriptions says which.
    - `prepare(event, subscription)`: the event as that subscription wants it; raises Rejected when it does not fit.
    - `unmatched(event, known)`: what to answer when no handler listens, given all this source's subscriptions.
    - `suggest(event)`: the handler one would write for an event, as Python source.
    - `check(subscription)`: raises Rejected for what its decorator left to be found when plugins are loaded to be
      listed, tested or deployed: a Lambda function trusts what was deployed.
    - `owns(event)`: whether an event came from this source, by its type and its source; `signed` says that it must have
      come through its own door.
    - `secrets`: names of fields, at any depth of `data`, that are masked wherever an event is kept or shown.
    - `reading(kinds)`: how to read what patterns look at, by dotted path with what `Index.kinds` says of it; None where
      it takes the whole event. It is asked for only where `codec.skips()`.
    - `beginnings`: what some attributes of all its events begin with; whether they do, a reading need not look at.
    """

    name: str
    recognizes: Callable[[Any], bool]
    normalize: Callable[[Raw], Iterator[Event | Rejected]]
    suggest: Callable[[Event], str]
    owns: Callable[[Event], bool]
    reply_within: Callable[[Event], float | None] = _nobody_waits
    render: Callable[[Event, Reply | None], Mapping[str, Any]] = _no_answer
    meanwhile: Callable[[Event], Post | None] = _nothing_meanwhile
    late: Reply = Reply("Still working on it …")
    handshake: Callable[[Event], bool] = _no_handshake
    follow_up: Callable[[Event, Reply], EffectRequest | None] | None = None
    identify: Callable[[Event, Sequence[Subscription]], Event] | None = None
    prepare: Callable[[Event, Subscription], Event] | None = None
    unmatched: Callable[[Event, Sequence[Subscription]], Reply | None] = _nothing_to_say
    check: Callable[[Subscription], None] = _no_objection
    signed: bool = False
    secrets: frozenset[str] = frozenset()
    reading: Callable[[Mapping[str, Any]], Reading | None] | None = None
    beginnings: Mapping[str, str] = MappingProxyType({})


def quoted(text: object) -> str:
    """A text as Python source, whatever is in it."""
    return codec.encode(str(text)).decode()


def text_at(value: Any, *path: str) -> str | None:
    """The text at a path into nested objects, None where there is none or an empty one."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value if value and isinstance(value, str) else None


def masked(event: Event, secrets: frozenset[str]) -> bytes:
    """The envelope as JSON with the values of all fields of these names, at any depth of `data`, masked."""
    return codec.encode(shown(event, secrets)) if secrets else event.to_json()


def shown(event: Event, secrets: frozenset[str]) -> dict[str, Any]:
    """The same as JSON values."""
    envelope = event.to_dict()
    if secrets and "data" in envelope:
        try:
            envelope["data"] = _without(envelope["data"], secrets)
        except RecursionError:
            envelope["data"] = MASK  # nested deeper than we can look
    return envelope


_NESTED = (dict, list)


def _without(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {
            k: MASK if k in secrets and v else _without(v, secrets) if isinstance(v, _NESTED) else v
            for k, v in value.items()
        }
    return [_without(item, secrets) for item in value] if isinstance(value, list) else value
