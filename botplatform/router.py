"""Event -> handlers: which subscriptions does an event concern, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botplatform import codec
from botplatform.errors import Rejected
from botplatform.patterns.index import Index
from botplatform.subscription import Limits, no_params
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from botplatform.event import Event
    from botplatform.patterns import index
    from botplatform.patterns.match import Pattern
    from botplatform.source import Raw, Source
    from botplatform.subscription import Subscription

    Answer = index.Answer[int]


# How many answers of the index, and how many fingerprints, are remembered with what they mean.
PLANS = 4096


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


class Plan(NamedTuple):
    """What events concern, and whether any subscription takes parameters out of them."""

    matches: tuple[Match, ...]
    binds: bool


NOBODY = Plan((), False)


class Router:
    """Holds every subscription in one index, whose cost does not grow with their number; any thread may use it."""

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        self.handlers = {handler.name: handler for handler in handlers}
        self._subscribed = [(h, s) for h in self.handlers.values() for s in h.subscriptions]
        self._index: Index[int] = Index()
        for number, (_, subscription) in enumerate(self._subscribed):
            if subscription.topic:
                self._index.add_topic(number, subscription.topic)
            else:
                self._index.add(number, _pattern(subscription))
        self._paths = self._index.paths
        self._reads_data = any(path.partition(".")[0] in ("data", "data_base64") for path in self._paths)
        self._known: dict[str, list[Subscription]] = {}
        self._plans: dict[int, tuple[Answer, Plan]] = {}
        self._alike: dict[Hashable, Plan] = {}

    def normalizer(self, source: Source) -> Callable[[Raw], Iterator[Event | Rejected]]:
        """`source.normalize`, which may read no more of each event than the patterns look at: see `Event.unread`.

        It is for this router's `route` to see such an event first; whoever goes on with it has to `settle` it.
        """
        if source.reading is None or not codec.skips():
            return source.normalize
        return source.reading(self._paths, self._index.kinds)

    def route(self, event: Event) -> tuple[Match, ...]:
        """The handlers an event concerns, each once, in the order they were loaded; of a replay, those it is for.

        Raises Rejected where parameters have to be taken out of an unread event that turns out to be none.
        """
        fingerprint = event.fingerprint(self._paths)
        if fingerprint is None:
            return _bound(self._plan_of(event), event)
        plan = self._alike.get(fingerprint)
        if plan is None:
            plan = self._plan_of(event)
            if len(self._alike) >= PLANS:
                self._alike.clear()
            self._alike[fingerprint] = plan
        return _bound(plan, event) if plan.binds else plan.matches

    def _plan_of(self, event: Event) -> Plan:
        fields = event.seen(self._paths) if self._reads_data else event.attributes()
        answer = self._index.match(fields, fields.get("subject") if fields.get("type") == MQTT_MESSAGE else None)
        return self._plan(answer) if answer else NOBODY

    def _plan(self, answer: Answer) -> Plan:
        """What an answer of the index means. It gives the very same tuple again and again, so that is kept by it."""
        known, plan = self._plans.get(id(answer), (None, NOBODY))
        if known is answer:
            return plan
        plan = self._planned(answer)
        if len(self._plans) >= PLANS:
            self._plans.clear()
        self._plans[id(answer)] = (answer, plan)
        return plan

    def _planned(self, answer: Answer) -> Plan:
        found: dict[str, Match] = {}
        matches = [Match(*self._subscribed[number], captured) for number, captured in answer]
        only_fallbacks = all(match.subscription.fallback for match in matches)
        for match in matches:
            if only_fallbacks or not match.subscription.fallback:
                found.setdefault(match.handler.name, match)
        binds = any(match.subscription.bind is not no_params for match in found.values())
        return Plan(tuple(found.values()), binds)

    def known(self, source: str) -> list[Subscription]:
        """Every subscription to one source."""
        if source not in self._known:
            self._known[source] = [s for _, s in self._subscribed if s.source == source]
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
        reasons = [(h, s, _why_not(s, event, fields)) for h, s in self._subscribed]
        taken = next((h.name for h, s, reason in reasons if reason is None and not s.fallback), None)
        for handler, subscription, reason in reasons:
            beaten = taken if subscription.fallback and reason is None else None
            yield handler, subscription, f"{beaten} takes it" if beaten else reason


def _pattern(subscription: Subscription) -> Pattern:
    from botplatform.patterns.parse import compile

    return compile(subscription.pattern)


# The extension attribute that names the one handler a replayed event is for.
REPLAY_TO = "replayto"
# The one type whose subject is a topic: topics are matched by levels, which EventBridge patterns do not know.
MQTT_MESSAGE = "org.mqtt.message"


def _bound(plan: Plan, event: Event) -> tuple[Match, ...]:
    """What a plan means for an event, with the parameters that subscriptions take out of it."""
    only = event.extensions.get(REPLAY_TO)
    if not (plan.binds or only):
        return plan.matches
    return tuple(_with_params(match, event) for match in plan.matches if only in (None, "", match.handler.name))


def _with_params(match: Match, event: Event) -> Match:
    """A match with the parameters its subscription takes out of the event, or why it cannot."""
    subscription = match.subscription
    if subscription.bind is no_params:
        return match
    try:
        return Match(match.handler, subscription, {**match.params, **subscription.bind(event)})
    except Rejected as rejected:
        return Match(match.handler, subscription, match.params, rejected)


def _why_not(subscription: Subscription, event: Event, fields: Mapping[str, Any]) -> str | None:
    if subscription.topic:
        if event.type != MQTT_MESSAGE:
            return f"type is {event.type!r}, wanted {MQTT_MESSAGE!r}"
        matches = subscription.topic.match(event.subject or "") is not None
        return None if matches else f"topic {event.subject!r} does not fit {subscription.topic.filter!r}"
    return _pattern(subscription).explain(fields)
