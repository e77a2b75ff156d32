"""Event -> handlers: which subscriptions does an event concern, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botplatform.errors import Rejected
from botplatform.patterns.index import Index
from botplatform.subscription import Limits
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.patterns.match import Pattern
    from botplatform.subscription import Subscription


class Handler(NamedTuple):
    """A plugin's function with all that is known of it; `name` is `plugin.function`.

    `uses` are the effects its plugin declares, `keeps_state` says whether it may use `ctx.state`, `limits` how far it
    may go.
    """

    name: str
    plugin: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]
    uses: frozenset[str]
    file: str
    line: int
    keeps_state: bool = True
    limits: Limits = Limits()


class Match(NamedTuple):
    """One handler an event concerns, with what its subscription captured, or why it cannot take this event."""

    handler: Handler
    subscription: Subscription
    params: Mapping[str, str]
    rejected: Rejected | None = None


class Router:
    """Holds every subscription in one index, whose cost does not grow with their number."""

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        self.handlers = {handler.name: handler for handler in handlers}
        self._subscribed = [(h, s) for h in self.handlers.values() for s in h.subscriptions]
        self._index: Index[int] = Index()
        for number, (_, subscription) in enumerate(self._subscribed):
            if subscription.topic:
                self._index.add_topic(number, subscription.topic)
            else:
                self._index.add(number, _pattern(subscription))

    def route(self, event: Event) -> list[Match]:
        """The handlers an event concerns, each once, in the order they were loaded; of a replay, those it is for."""
        found: dict[str, Match] = {}
        matches = [(*self._subscribed[n], c) for n, c in self._index.match(event.to_dict(), _topic(event))]
        only_fallbacks = all(subscription.fallback for _, subscription, _ in matches)
        for handler, subscription, captured in matches:
            if subscription.fallback and not only_fallbacks:
                continue
            if handler.name not in found:
                found[handler.name] = _bind(handler, subscription, captured, event)
        only = event.extensions.get(REPLAY_TO)
        return [found[only]] if only in found else [] if only else list(found.values())

    def known(self, source: str) -> list[Subscription]:
        """Every subscription to one source."""
        return [subscription for _, subscription in self._subscribed if subscription.source == source]

    def nearest(self, source: str, subject: str | None) -> str | None:
        """The subscription to a source that looks most like the subject of an unmatched event: a slip of the pen?"""
        from difflib import get_close_matches

        summaries = [subscription.summary for subscription in self.known(source)]
        close = get_close_matches(subject or "", summaries, n=1, cutoff=0.6)
        return close[0] if close else None

    def explain(self, event: Event) -> Iterator[tuple[Handler, Subscription, str | None]]:
        """Every subscription with the reason why it does not take the event, None for those that do."""
        fields = event.to_dict()
        reasons = [(h, s, _why_not(s, event, fields)) for h, s in self._subscribed]
        taken = next((h.name for h, s, reason in reasons if reason is None and not s.fallback), None)
        for handler, subscription, reason in reasons:
            beaten = taken if subscription.fallback and reason is None else None
            yield handler, subscription, f"{beaten} takes it" if beaten else reason


def _pattern(subscription: Subscription) -> Pattern:
    from botplatform.patterns.parse import compile

    return compile(subscription.pattern)


def _topic(event: Event) -> str | None:
    return event.subject if event.type == MQTT_MESSAGE else None


# The extension attribute that names the one handler a replayed event is for.
REPLAY_TO = "replayto"
# The one type whose subject is a topic: topics are matched by levels, which EventBridge patterns do not know.
MQTT_MESSAGE = "org.mqtt.message"


def _bind(handler: Handler, subscription: Subscription, captured: Mapping[str, str], event: Event) -> Match:
    try:
        return Match(handler, subscription, {**captured, **subscription.bind(event)})
    except Rejected as rejected:
        return Match(handler, subscription, captured, rejected)


def _why_not(subscription: Subscription, event: Event, fields: Mapping[str, Any]) -> str | None:
    if subscription.topic:
        if _topic(event) is None:
            return f"type is {event.type!r}, wanted {MQTT_MESSAGE!r}"
        matches = subscription.topic.match(event.subject or "") is not None
        return None if matches else f"topic {event.subject!r} does not fit {subscription.topic.filter!r}"
    return _pattern(subscription).explain(fields)
