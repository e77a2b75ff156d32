"""The `platform` fixture: plugins tested on the real router, engine and SQLite store, with no network and no mock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from botplatform.effect import Publication
    from botplatform.event import Event
    from botplatform.plugins import Plugins
    from botplatform.reply import Reply
    from botplatform.store import PendingEffect


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the plugins are."""
    parser.addini("botplatform_plugins", "folders with the plugins under test", "paths", default=[])


@pytest.fixture(scope="session")
def platform_plugins(request: pytest.FixtureRequest) -> Plugins:
    """The plugins under test, loaded once: those in the ini setting `botplatform_plugins`, else in `plugins/`."""
    from botplatform.plugins import Plugins

    folders = request.config.getini("botplatform_plugins") or [request.config.rootpath / "plugins"]
    return Plugins([Path(folder) for folder in folders])


@pytest.fixture
def platform(tmp_path: Path, platform_plugins: Plugins) -> Iterator[Platform]:
    """A platform with empty state, the plugins under test, and a clock that stands still until it is moved."""
    with Platform(tmp_path, platform_plugins) as platform:
        yield platform


class Platform:
    """Speaks to the plugins as the outside world would, and shows what they did.

    Everything happens before a call returns: the handlers, their commits, their effects, and the events they emit.
    What a handler raises is raised here.
    """

    def __init__(self, folder: Path, plugins: Plugins) -> None:
        from botplatform import codec
        from botplatform.engine import Engine
        from botplatform.router import Router
        from botplatform.stores.sqlite import SqliteStore

        mistakes = [str(mistake) for mistake in plugins.mistakes]
        if mistakes:
            pytest.fail("\n".join(["these plugins cannot be loaded:", *mistakes]), pytrace=False)
        codec.use_msgspec()
        self.now = datetime(2026, 1, 5, 12, tzinfo=UTC)
        self.performed: list[tuple[str, Mapping[str, Any]]] = []
        self.suppressed: list[str] = []
        self.alexa = Alexa(self)
        self._plugins = plugins
        self._router = Router(plugins.handlers)
        self._sources = plugins.sources
        self._effects = plugins.effects({}, self)
        self._store = SqliteStore(folder / "state.db", lambda: self.now.timestamp(), synchronous="OFF")
        self._engine = Engine(self._store, self._sources, lambda: self.now.timestamp(), plugins.infos)

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    # What happens outside.

    def slack(self, typed: str, user: str = "U0LOCAL") -> Reply | None:
        """Type a slash command."""
        from botplatform.hosts.local import simulate

        return self.raw("slack", simulate.slack_command(typed, user))

    def slack_event(self, type_: str, **fields: Any) -> Reply | None:
        """Let something happen in Slack: `slack_event("app_mention", text="hi")`."""
        from botplatform.hosts.local import simulate

        return self.raw("slack", simulate.slack_event({"type": type_, **fields}, self.now))

    def slack_action(self, action_id: str, value: str = "") -> Reply | None:
        """Press a button in a message."""
        from botplatform.hosts.local import simulate

        return self.raw("slack", simulate.slack_action(action_id, value))

    def mqtt(self, topic: str, payload: Any, *, retain: bool = False, id: str | None = None) -> None:
        """Publish as a device; text and bytes go as they are, any other value as JSON. An `id` seen is a redelivery."""
        import uuid

        from botplatform.sources.mqtt.message import Message
        from botplatform.sources.mqtt.source import own_id, to_event

        content = payload if isinstance(payload, bytes) else payload.encode() if isinstance(payload, str) else None
        message = Message(topic, json.dumps(payload).encode() if content is None else content, 1, retain, False, 1)
        subscriptions = [s for h in self._router.handlers.values() for s in h.subscriptions if s.source == "mqtt"]
        given = id or own_id(message, subscriptions) or uuid.uuid4().hex
        self.send(to_event(message, given, "mqtt://localhost:1883", self.now))

    def cloudtrail(self, record: Mapping[str, Any]) -> None:
        """Let a CloudTrail record arrive, bare or in any of its wrappings."""
        self.raw("cloudtrail", json.dumps(record).encode())

    def tick(self, name: str, at: datetime | None = None) -> None:
        """Let a schedule be due: `plugin.function`, or `plugin` where it has just one."""
        from botplatform.sources.schedule.source import to_event

        known = [s.options["name"] for h in self._plugins.handlers for s in h.subscriptions if s.source == "schedule"]
        found = [full for full in known if name in (full, full.split(".")[0])]
        if len(found) != 1:
            pytest.fail(f"{name!r} is {'no' if not found else 'more than one'} schedule; there are {known}")
        self.send(to_event(found[0], at or self.now))

    def raw(self, source: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply | None:
        """Let bytes arrive as `source` sends them; returns the first reply, raises Rejected for what is no event."""
        from botplatform.errors import Rejected
        from botplatform.source import Raw

        replies = []
        for event in self._sources[source].normalize(Raw(body, headers or {})):
            if isinstance(event, Rejected):
                raise event
            replies.append(self.send(event))
        return next((reply for reply in replies if reply), None)

    def send(self, event: Event) -> Reply | None:
        """Hand an event to the handlers it concerns; returns the first reply."""
        from botplatform.engine import Failed
        from botplatform.reply import Reply
        from botplatform.store import Run

        owner = self._engine.source_of(event)
        matches = self._router.route(event)
        if not matches:
            known = [s for h in self._plugins.handlers for s in h.subscriptions if s.source == owner.name]
            return owner.unmatched(event, known)
        replies: list[Reply] = []
        for match in matches:
            answered = owner.reply_within(event) is None
            try:
                committed = self._engine.run(event, match, Run(answered=answered))
            except Failed as failed:
                raise failed.__cause__ or failed from None
            self.suppressed += () if committed.outcome.duplicate else committed.outcome.suppressed
            self._perform(committed.effects)
            replies += [Reply.from_dict(committed.outcome.reply)] if committed.outcome.reply is not None else []
        return replies[0] if replies else None

    def advance(self, **time: float) -> None:
        """Move the clock on: `advance(hours=1, minutes=5)`; nothing is due by itself, see `tick`."""
        self.now += timedelta(**time)

    # What the plugins did.

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The texts sent so far, as (to, body)."""
        return [(arguments["to"], arguments["body"]) for arguments in self.effects("text")]

    @property
    def slack_messages(self) -> list[tuple[str, str]]:
        """The Slack messages sent so far, as (channel, text); a late reply has its response_url for a channel."""
        messages = self.effects("slack")
        return [(m.get("channel") or m["response_url"], m.get("text", "")) for m in messages]

    @property
    def published(self) -> list[tuple[str, str | bytes]]:
        """What was published to MQTT so far, as (topic, payload); bytes that are no text as bytes."""
        from botplatform.effects.publish import payload_of

        messages = self.effects("publish")
        return [(m["topic"], m["payload"] if "payload" in m else payload_of(m)) for m in messages]

    def effects(self, name: str) -> list[Mapping[str, Any]]:
        """The arguments of all effects of one name, in order."""
        return [arguments for performed, arguments in self.performed if performed == name]

    def state(self, plugin: str) -> dict[str, Any]:
        """What a plugin has in its state."""
        return {key: json.loads(value.json or b"null") for key, value in self._store.scan(plugin, "")}

    # What effects ask of a host.

    def publish(self, message: Publication) -> None:
        """Nothing to do: what was published is in `published`."""

    def accept(self, event: Event) -> None:
        """Handle an emitted event at once."""
        self.send(event)

    def _perform(self, effects: Sequence[PendingEffect]) -> None:
        for effect in effects:
            self.performed.append((effect.request.name, effect.request.arguments))
            result = self._effects[effect.request.name].perform(effect.request.arguments, effect.key)
            self._store.performed(effect, result)


class Alexa:
    """Somebody who talks to the skill."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def intent(self, name: str, /, session: Mapping[str, Any] | None = None, **slots: str) -> Reply | None:
        """Say something that Alexa takes for an intent: `intent("TemperatureIntent", room="kitchen")`."""
        from botplatform.hosts.local import simulate

        return self._platform.raw("alexa", simulate.alexa_intent(name, slots, self._platform.now, session))

    def launch(self) -> Reply | None:
        """Open the skill."""
        return self._request("LaunchRequest")

    def end(self) -> None:
        """End the session."""
        self._request("SessionEndedRequest")

    def _request(self, type_: str) -> Reply | None:
        from botplatform.hosts.local import simulate

        return self._platform.raw("alexa", simulate.alexa_request({"type": type_}, self._platform.now))
