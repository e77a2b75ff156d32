"""What a handler is given to work with: the unit of work behind `ctx`, which collects all it asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botplatform import codec
from botplatform.durations import seconds, words
from botplatform.source import EffectRequest
from botplatform.state import State
from botplatform.store import NOTHING, Commit
from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from logging import Logger

    from botplatform.event import Event
    from botplatform.router import Handler
    from botplatform.store import FollowUp, Outcome, Readable, Run, StateKey, Work, Write
    from botplatform.subscription import Subscription

# Amazon SNS, "Publishing SMS messages": at most 1,600 characters in one message.
TEXT_LIMIT = 1600
_TOPIC_WILDCARD = r"[+#\0]"


# Extension attributes: CloudEvents, "Correlation" (texts that are not empty) has the first two; the third are the
# handlers that led here, with spaces between them.
CORRELATION, CAUSATION, CHAIN = "correlationid", "causationid", "handlerchain"
# Of a replay: the id of the event it repeats, and whether it is to have no effects.
REPLAY_OF, WITHHOLD = "replayof", "withholdeffects"


def chain_of(event: Event) -> list[str]:
    """The handlers that led to an event, by what each asked for, first to last."""
    return str(event.extensions.get(CHAIN, "")).split()


def last_said(plugin: str) -> str:
    """The name under which the state keeps when a plugin last sent which text, for `once_per`."""
    return f"{plugin}.once_per"


class Undeclared(Exception):
    """A plugin asked for an effect it does not name in its `USES`, or for the state it says it does not keep."""


class PluginInfo(NamedTuple):
    """What a plugin says of itself: its name, the first sentence of its docstring, and what it listens to."""

    name: str
    summary: str
    subscriptions: Sequence[Subscription]


class Unit:
    """All that one run of a handler read, changed and asked for, and what came of it once that is known."""

    outcome: Outcome
    __slots__ = ("_plugin", "_state", "_store", "_withheld", "effects", "follow_up", "now", "outcome", "suppressed")

    def __init__(self, store: Readable, plugin: str, now: float) -> None:
        self.effects: list[EffectRequest] = []
        self.follow_up: FollowUp = None
        self.suppressed: list[str] = []
        self._store = store
        self._plugin = plugin
        self.now = now
        self._state: State | None = None
        self._withheld = False

    @property
    def state(self) -> State:
        """The plugin's own values; many handlers keep none."""
        if self._state is None:
            self._state = State(self._store, self._plugin, self.now)
        return self._state

    @property
    def last_said(self) -> State:
        """When the plugin last sent which text."""
        return State(self._store, last_said(self._plugin), self.now, self.state)

    @property
    def only_answers(self) -> bool:
        """Whether it read, changed and asked for nothing."""
        return self._state is None and not self.effects and self.follow_up is None

    def commit(self, work: Work, event: Event, run: Run) -> Commit:
        """All of it, to happen together or not at all."""
        state, outcome, effects, follow_up = self._state, self.outcome, self.effects, self.follow_up
        if state is None:
            return Commit(work, event, outcome, NOTHING, NOTHING, effects, follow_up, run)
        writes = self.writes() if self._withheld else state.writes()
        return Commit(work, event, outcome, state.reads(), writes, effects, follow_up, run, state.found())

    def withhold_effects(self) -> None:
        """Drop what was asked for, and with it what `once_per` notes: a text nobody gets must hold no other one up."""
        self.suppressed += [f"{_wanted(request)}: withheld from a replay" for request in self.effects]
        self.effects = []
        self._withheld = True

    def reads(self) -> Mapping[StateKey, int]:
        """The versions the commit has to find unchanged."""
        return self.state.reads()

    def writes(self) -> dict[StateKey, Write]:
        """The changes the commit has to make."""
        writes = self.state.writes()
        if not self._withheld:
            return writes
        return {key: write for key, write in writes.items() if key.plugin == self._plugin}


class Context:
    """A handler's hands: all it changes or asks for through this happens once, at the commit, or not at all.

    `params` are what the subscription captured (`{room}`), `state` is the plugin's own, `now` the time (aware, UTC),
    `log` a logger, `plugins` what all loaded plugins say of themselves.
    """

    def __init__(
        self,
        event: Event,
        handler: Handler,
        unit: Unit,
        params: Mapping[str, str],
        plugins: Callable[[], Sequence[PluginInfo]],
    ) -> None:
        self.params = params
        self._unit = unit
        self._event = event
        self._handler = handler
        self._plugins = plugins

    @property
    def now(self) -> datetime:
        """The time at which the run began (aware, UTC)."""
        return datetime.fromtimestamp(self._unit.now, UTC)

    @property
    def state(self) -> State:
        """The plugin's own values by name; raises where it says that it keeps none."""
        if not self._handler.keeps_state:
            raise Undeclared(f"plugin {self._handler.plugin} says that it keeps no state: delete STATE = False")
        return self._unit.state

    @property
    def log(self) -> Logger:
        """The plugin's own logger."""
        from logging import getLogger

        return getLogger(f"botplatform.plugins.{self._handler.plugin}")

    @property
    def plugins(self) -> Sequence[PluginInfo]:
        """What is loaded, by name."""
        return self._plugins()

    def text(self, to: str, body: str, *, once_per: str | timedelta | None = None, about: str = "") -> None:
        """Send a text message (SMS) to a number (`+15550100`) or to a name from the settings (`owner`).

        With `once_per="1h"` at most one an hour goes to each recipient `about` each thing; what is suppressed is
        counted, and the next text that goes out says how many there were.
        """
        if not body or len(body) > TEXT_LIMIT:
            raise ValueError(f"a text has 1 to {TEXT_LIMIT} characters, this one {len(body)}")
        if not to:
            raise ValueError("a text needs somebody to go to")
        if once_per is not None:
            self._declared("text")
            said = self._once(f"{to} {about}".strip(), seconds(once_per))
            if said is None:
                self._unit.suppressed.append(f"text to {to}: at most one in {words(seconds(once_per))}")
                return
            body = body[: TEXT_LIMIT - len(said)] + said
        self.effect("text", {"to": to, "body": body}, order=to)

    def slack(
        self, channel: str, text: str = "", *, blocks: Sequence[Mapping[str, Any]] = (), thread: str | None = None
    ) -> None:
        """Post a message to a Slack channel (name or id) or to a person (id), in a thread if its `ts` is given."""
        message = {"channel": channel, "text": text, "blocks": list(blocks), "thread_ts": thread}
        if not channel or not (text or blocks):
            raise ValueError("a Slack message needs a channel, and text or blocks")
        self.effect("slack", {name: value for name, value in message.items() if value}, order=channel)

    def publish(self, topic: str, payload: Any, *, qos: int = 1, retain: bool = False) -> None:
        """Publish to an MQTT topic: text and bytes go as they are, any other value as JSON."""
        if not topic or re.search(_TOPIC_WILDCARD, topic):
            raise ValueError(f"{topic!r} is no topic to publish to: it is empty or has a wildcard")
        if qos not in (0, 1, 2):
            raise ValueError(f"qos is 0, 1 or 2, not {qos!r}")
        message = {"topic": topic, **_written(payload), "qos": qos, "retain": retain, "chain": self._chain()}
        self.effect("publish", message, order=topic)

    def emit(self, event: Event) -> None:
        """Hand a new event to whichever handlers it concerns; without `id` and `source` it is named after this one."""
        named = event.replace(
            id=event.id or self._next_id(),
            source=event.source or f"urn:botplatform:plugin:{self._handler.plugin}",
            time=event.time or self.now,
            extensions={**event.extensions, **self._cause()},
        )
        self.effect("emit", {"event": codec.decode(named.checked().to_json())}, order=named.key or "")

    def effect(self, name: str, arguments: Mapping[str, Any], *, order: str = "") -> None:
        """Ask for any effect by its name; those of one `order` are performed one after the other."""
        self._declared(name)
        self._unit.effects.append(EffectRequest(name, codec.decode(codec.encode(arguments)), order))

    def _cause(self) -> dict[str, str]:
        """What an event that comes of this one says about it."""
        cause = self._event
        return {
            CORRELATION: str(cause.extensions.get(CORRELATION) or cause.id),
            CAUSATION: cause.id,
            CHAIN: self._chain(),
        }

    def _chain(self) -> str:
        return " ".join([*chain_of(self._event), self._handler.name])

    def _next_id(self) -> str:
        """The same for the same event in the same handler, and for nothing else: an id is its source's own."""
        about = (self._event.source, self._event.id, self._handler.name, len(self._unit.effects))
        from uuid import NAMESPACE_URL, uuid5

        return str(uuid5(NAMESPACE_URL, repr(about)))

    def _declared(self, name: str) -> None:
        plugin, uses = self._handler.plugin, self._handler.uses
        if name not in uses:
            wanted = sorted({*uses, name})
            raise Undeclared(f"plugin {plugin} uses the effect {name!r}: declare it with USES = {wanted!r}")

    def _once(self, what: str, period: float) -> str | None:
        """What to add to a text that may go out now, None when it may not."""
        last = self._unit.last_said.get(what)
        now = self.now.timestamp()
        if last and now < last["until"]:
            last["suppressed"] += 1
            self._unit.last_said.set(what, last)
            return None
        self._unit.last_said.set(what, {"until": now + period, "suppressed": 0})
        return f" ({last['suppressed']} more suppressed)" if last and last["suppressed"] else ""


def _wanted(request: EffectRequest) -> str:
    return f"{request.name} to {request.order}" if request.order else request.name


def _written(payload: Any) -> dict[str, str]:
    """A payload as JSON can hold it."""
    if isinstance(payload, bytes):
        return {"payload_base64": codec.to_base64(payload)}
    return {"payload": payload if isinstance(payload, str) else codec.encode(payload).decode()}
