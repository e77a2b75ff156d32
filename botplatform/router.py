"""Event -> handlers: which subscriptions does an event concern, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from botplatform.patterns.index import NOTHING_CAPTURED, Index
from botplatform.subscription import Limits, no_params
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.patterns import index
    from botplatform.patterns.match import Pattern
    from botplatform.subscription import Subscription

    Answer = index.Answer[int]


# How much is remembered at a place with what it means: answers of the index, names, fingerprints.
REMEMBERED = 4096
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


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
    """One handler that events concern, by which of its subscriptions, and what the index captured for that."""

    handler: Handler
    subscription: Subscription
    captured: Mapping[str, str]

    def params(self, event: Event) -> Mapping[str, str]:
        """What is captured and what the subscription takes out of one of these events; raises Rejected."""
        bind, captured = self.subscription.bind, self.captured
        if bind is no_params:
            return captured
        return {**captured, **bind(event)} if captured else bind(event)


class Plan(NamedTuple):
    """What events concern: the functions of the handlers, and a match of each."""

    functions: tuple[Callable[..., Any], ...]
    matches: tuple[Match, ...]

    def matches_of(self, event: Event) -> tuple[Match, ...]:
        """The matches of one of these events; of a replay, those it is for.

        Raises Rejected where the event is unread and turns out to be none.
        """
        only = event.extensions.get(REPLAY_TO)
        return tuple([match for match in self.matches if only == match.handler.name]) if only else self.matches


NOBODY = Plan((), ())
_DEPENDS = Plan((), ())
# What events have the same of mostly concerns the same handlers.
_NAMES = ("type", "subject", "source")
_names = attrgetter(*_NAMES)


class Router:
    """Holds every subscription in one index, whose cost does not grow with their number; any thread may use it."""

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        self.handlers = {handler.name: handler for handler in handlers}
        self._subscribed = [
            Match(handler, subscription, NOTHING_CAPTURED)
            for handler in self.handlers.values()
            for subscription in handler.subscriptions
        ]
        self.index: Index[int] = Index()
        for number, (_, subscription, *_) in enumerate(self._subscribed):
            if subscription.topic:
                self.index.add_topic(number, subscription.topic)
            else:
                self.index.add(number, _pattern(subscription.pattern))
        self._undecided = _undecided([match.subscription.pattern for match in self._subscribed])
        self._reads_data = any(path.partition(".")[0] in ("data", "data_base64") for path in self.index.paths)
        self._known: dict[str, list[Subscription]] = {}
        self._plans: dict[int, tuple[Answer, Plan]] = {}
        self._alike: dict[tuple[Any, ...], Plan] = {}

    def route(self, event: Event) -> tuple[Match, ...]:
        """The handlers an event concerns, each once, in the order they were loaded; of a replay, those it is for."""
        return self.plan(event).matches_of(event)

    def plan(self, event: Event) -> Plan:
        """What an event concerns; of a replay, as though it had just happened."""
        names = _names(event)
        plan = self._alike.get(names) or keep(self._alike, names, self._plan_by_names(event))
        if plan is _DEPENDS:
            return self.plan_by(event.to_dict() if self._reads_data else event.attributes())
        return plan

    def plan_by(self, fields: Mapping[str, Any]) -> Plan:
        """The same by as much of the event's JSON form as the patterns of `index` look at."""
        answer = self.index.match(fields, fields.get("subject") if fields.get("type") == MQTT_MESSAGE else None)
        return self._meant(answer) if answer else NOBODY

    def _plan_by_names(self, event: Event) -> Plan:
        """What all events of these names concern, or `_DEPENDS` where that depends on more of each."""
        fields = event.attributes()
        depends = self._undecided is None or self._undecided.match(fields)
        return _DEPENDS if depends else self.plan_by(fields)

    def _meant(self, answer: Answer) -> Plan:
        """What an answer of the index means. It gives the very same tuple again and again, so that is kept by it."""
        known, plan = self._plans.get(id(answer), (None, NOBODY))
        if known is not answer:
            _, plan = keep(self._plans, id(answer), (answer, self._planned(answer)))
        return plan

    def _planned(self, answer: Answer) -> Plan:
        found: dict[str, Match] = {}
        matches = [_capturing(self._subscribed[number], captured) for number, captured in answer]
        only_fallbacks = all(match.subscription.fallback for match in matches)
        for match in matches:
            if only_fallbacks or not match.subscription.fallback:
                found.setdefault(match.handler.name, match)
        return Plan(tuple([match.handler.function for match in found.values()]), tuple(found.values()))

    def known(self, source: str) -> list[Subscription]:
        """Every subscription to one source."""
        if source not in self._known:
            self._known[source] = [m.subscription for m in self._subscribed if m.subscription.source == source]
        return self._known[source]

    def nearest(self, source: str, subject: str | None) -> str | None:
        """The subscription to a source that looks most like the subject of an unmatched event: a slip of the pen?"""
        from difflib import get_close_matches

        summaries = [subscription.summary for subscription in self.known(source)]
        close = get_close_matches(subject or "", summaries, n=1, cutoff=0.6)
        return close[0] if close else None

    def explain(self, event: Event) -> Iterator[tuple[Handler, Subscription, str | None]]:
        """Every subscription with the reason why it does not take the event, None for those that do."""
        fields = event.to_dict()
        reasons = [(h, s, _why_not(s, event, fields)) for h, s, *_ in self._subscribed]
        taken = next((h.name for h, s, reason in reasons if reason is None and not s.fallback), None)
        for handler, subscription, reason in reasons:
            beaten = taken if subscription.fallback and reason is None else None
            yield handler, subscription, f"{beaten} takes it" if beaten else reason


def _undecided(patterns: Sequence[Mapping[str, Any]]) -> Index[str] | None:
    """An index that matches the names of what may concern somebody who looks at more; None where all events may."""
    index: Index[str] = Index()
    by_names = [{name: pattern[name] for name in _NAMES if name in pattern} for pattern in patterns]
    further = [names for names, pattern in zip(by_names, patterns, strict=True) if len(names) < len(pattern)]
    for key, names in {repr(names): names for names in further}.items():
        if not names:
            return None
        index.add(key, _pattern(names))
    return index


def _pattern(pattern: Mapping[str, Any]) -> Pattern:
    from botplatform.patterns.parse import compile

    return compile(pattern)


# The extension attribute that names the one handler a replayed event is for.
REPLAY_TO = "replayto"
# The one type whose subject is a topic: topics are matched by levels, which EventBridge patterns do not know.
MQTT_MESSAGE = "org.mqtt.message"


def keep(known: dict[K, V], key: K, value: V) -> V:
    """Remember a value, which is returned; when there are too many, all others are forgotten."""
    if len(known) >= REMEMBERED:
        known.clear()
    known[key] = value
    return value


def _capturing(match: Match, captured: Mapping[str, str]) -> Match:
    return Match(match.handler, match.subscription, captured) if captured else match


def _why_not(subscription: Subscription, event: Event, fields: Mapping[str, Any]) -> str | None:
    if subscription.topic:
        if event.type != MQTT_MESSAGE:
            return f"type is {event.type!r}, wanted {MQTT_MESSAGE!r}"
        matches = subscription.topic.match(event.subject or "") is not None
        return None if matches else f"topic {event.subject!r} does not fit {subscription.topic.filter!r}"
    return _pattern(subscription.pattern).explain(fields)
