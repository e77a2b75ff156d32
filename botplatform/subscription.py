"""What a plugin listens to: the mark a decorator leaves on a function, for the loader to find."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from botplatform.durations import seconds
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from typing import TypedDict

    from botplatform.event import Event
    from botplatform.patterns.topics import Topic

    class LimitsGiven(TypedDict, total=False):
        """What every decorator takes besides its own arguments; see `Limits`."""

        retries: int
        deadline: str
        concurrency: int


F = TypeVar("F", bound=Callable[..., Any])
MARK = "__botplatform_subscriptions__"
# With full jitter and pauses of up to 5 minutes, that is a day of trying.
RETRIES_LIMIT = 500


def no_params(event: Event) -> Mapping[str, str]:
    """The parameters of a subscription that captures nothing."""
    del event
    return {}


class Limits(NamedTuple):
    """How far a handler may go; None leaves it to the host.

    `retries` is how often an event is tried again after its first attempt, `deadline` how many seconds each attempt may
    run, `concurrency` how many events the handler is given at a time.
    """

    retries: int | None = None
    deadline: float | None = None
    concurrency: int | None = None


def limits(*, retries: int | None = None, deadline: str | None = None, concurrency: int | None = None) -> Limits:
    """What a decorator was given: `retries=5, deadline="30s", concurrency=4`; raises ValueError for what cannot be."""
    if retries is not None and (type(retries) is not int or not 0 <= retries <= RETRIES_LIMIT):
        raise ValueError(f"retries is a number from 0 to {RETRIES_LIMIT}, not {retries!r}")
    if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
        raise ValueError(f"concurrency is 1 or more, not {concurrency!r}")
    return Limits(retries, None if deadline is None else seconds(deadline), concurrency)


class Subscription(NamedTuple):
    """One thing a handler listens to.

    `source` is the name of the source, `summary` what people call it (`/temp {room}`), `usage` how they would ask for
    it. An event concerns the handler when `pattern` (an EventBridge pattern over the envelope) matches it, or, if
    there is a `topic`, when that matches its subject. `bind` takes the parameters out of such an event; it raises
    Rejected when they are not there. Two subscriptions with the same `exclusive` claim cannot both be loaded.
    A `fallback` is for events that concern no other subscription.
    `options` are for the source alone (a schedule's time zone, a topic's payload). `limits` hold for the handler,
    however many subscriptions it has.
    """

    source: str
    summary: str
    pattern: Mapping[str, Any] = MappingProxyType({})
    topic: Topic | None = None
    bind: Callable[[Event], Mapping[str, str]] = no_params
    exclusive: str | None = None
    fallback: bool = False
    options: Mapping[str, Any] = MappingProxyType({})
    limits: Limits = Limits()
    line: int | None = None


def subscribe(subscription: Subscription) -> Callable[[F], F]:
    """The decorator that adds `subscription` to a handler and leaves the function as it is, callable as before.

    Raises PatternError when its pattern is not one.
    """
    if not subscription.topic:
        from botplatform.patterns.parse import compile

        compile(subscription.pattern)
    line = _line_of_decorator()

    def mark(function: F) -> F:
        if not isinstance(function, FunctionType):
            raise TypeError(f"{subscription.summary} decorates a {type(function).__name__}, not a function")
        placed = subscription._replace(line=line)
        setattr(function, MARK, (placed, *subscriptions_of(function)))
        return function

    return mark


def mounted(function: F, subscription: Subscription) -> F:
    """Make `function` a handler of the plugin whose code called `slack.mount` or its like.

    The loader looks for handlers among a plugin's names, so it is put there: a call alone on its line is enough.
    """
    handler = subscribe(subscription)(function)
    plugin = sys._getframe(2).f_globals
    handler.__module__ = plugin["__name__"]
    plugin.setdefault(handler.__name__, handler)
    return handler


def packages_of(value: Any) -> tuple[str, ...]:
    """The packages that the classes of somebody else's object are from, such as `slack_bolt`: a bundle needs them."""
    return tuple(dict.fromkeys(kind.__module__.partition(".")[0] for kind in type(value).__mro__))


def check_text(value: object, example: str) -> None:
    """Raise ValueError unless a decorator was given a text: forgotten parentheses give it the function instead."""
    if not isinstance(value, str):
        raise ValueError(f"say what to listen to: @{example}")


def subscriptions_of(function: object) -> tuple[Subscription, ...]:
    """What decorators marked `function` with, topmost first; empty for what is no handler."""
    return getattr(function, MARK, ())


def _line_of_decorator() -> int:
    """The line in the plugin that used a source's decorator: the first frame outside botplatform itself."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("botplatform."):
        frame = frame.f_back
    return frame.f_lineno
