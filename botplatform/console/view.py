"""What the console shows, as JSON values: read from the parts of a platform, which it leaves as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botplatform import codec
from botplatform.console.connections import connections
from botplatform.event import Event
from botplatform.router import Handler
from botplatform.stores.sqlite.search import Search
from botplatform.subscription import Subscription
from botplatform.work import REPLAY_OF

if TYPE_CHECKING:
    from botplatform.hosts.local.platform import Platform

# Characters of a record that fit beside its name.
BRIEF = 120


def status(platform: Platform) -> dict[str, Any]:
    """How the platform is; `started` names this process, `plugins` changes when the plugins are loaded anew."""
    effects = platform.dispatcher.performer.effects
    return {
        "started": platform.started,
        "uptime": platform.dispatcher.engine.clock() - platform.started,
        "mqtt": {"url": platform.mqtt_url, "connected": bool(platform.devices and platform.devices.client.connected)},
        "destinations": {name: effect.destination for name, effect in effects.items()},
        "plugins": id(platform.plugins),
        "counts": dict(platform.dispatcher.counts),
        "levels": platform.levels(),
        "dead_letters": platform.store.inbox.size()[1],
        "latest": next((entry["number"] for entry in platform.store.log.events(limit=1, newest_first=True)), 0),
    }


def events(platform: Platform, search: Search, after: int, before: int, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` log entries that fit a search, newest first, with what they need to be understood.

    Their numbers are greater than `after` and less than `before`.
    """
    log = platform.store.log
    found = log.events(after, limit, newest_first=True, search=search, before=before)
    entries = (log.event(entry["number"]) for entry in found)
    return [_listed(platform, entry) for entry in entries if entry]


def event(platform: Platform, number: int) -> dict[str, Any] | None:
    """One log entry with its envelope and what it is `related` to, None when there is none of that number.

    Where no handler took it, also why not and which one would.
    """
    entry = platform.store.log.event(number)
    if entry is None:
        return None
    whole = {**_listed(platform, entry), "envelope": entry["envelope"], "related": _related(platform, entry)}
    return {**whole, **_advice(platform, whole)} if entry["envelope"] and not entry["handlers"] else whole


def outbox(platform: Platform) -> dict[str, Any]:
    """The latest texts, Slack messages and MQTT publishes, newest first, whatever became of them."""
    return {name: platform.store.log.effects(name) for name in ("text", "slack", "publish")}


def plugins(platform: Platform) -> dict[str, Any]:
    """What is loaded and what it listens to, what could not be loaded, and why Alexa cannot be simulated, if so."""
    loaded = platform.plugins
    now = datetime.fromtimestamp(platform.dispatcher.engine.clock(), UTC)
    return {
        "loaded": [
            {
                "name": info.name,
                "summary": info.summary,
                "file": loaded.loaded[info.name].file,
                "listens": [_listens(h, s, now) for h in loaded.loaded[info.name].handlers for s in h.subscriptions],
            }
            for info in loaded.infos()
        ],
        "mistakes": [str(mistake) for mistake in loaded.mistakes],
        "alexa_off": alexa_off(platform),
    }


def alexa_off(platform: Platform) -> str:
    """Why the console cannot speak as Alexa; empty when it can."""
    return "only Amazon can sign for the skill in ALEXA_SKILL_ID" if platform.settings.alexa_skill_ids else ""


def _listens(handler: Handler, subscription: Subscription, now: datetime) -> dict[str, Any]:
    schedule = subscription.options.get("schedule")
    tick = next(schedule.after(now), None) if schedule else None
    return {
        "handler": handler.name,
        "line": handler.line,
        "source": subscription.source,
        "summary": subscription.summary,
        "next": tick.timestamp() if tick else None,
        "intent": subscription.options.get("intent"),
        "samples": subscription.options.get("samples", ()),
        "slots": list(subscription.options.get("slots", ())),
    }


def _listed(platform: Platform, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry without its envelope, but with the name of its source (`kind`) and what it says (`brief`)."""
    kind = _kind(platform, entry)
    shown = {name: value for name, value in entry.items() if name != "envelope"}
    replay_of = (entry["envelope"] or {}).get(REPLAY_OF)
    return {**shown, "kind": kind, "brief": _brief(kind, entry["envelope"]), "replay_of": replay_of}


def _related(platform: Platform, entry: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The events that are connected with one, as the log lists them without their handlers."""
    return {
        name: [_listed(platform, {**other, "handlers": []}) if "number" in other else other for other in others]
        for name, others in connections(platform.store.log, entry).items()
    }


# What was measured, typed or spoken: the part of a record that its type and subject do not tell.
_SAID: dict[str, Callable[[Any], Any]] = {
    "mqtt": lambda data: data.decode() if isinstance(data, bytes) else data,
    "slack": lambda data: data["text"] if "command" in data else data["event"]["text"],
    "alexa": lambda data: ", ".join(slot["value"] for slot in data["request"]["intent"]["slots"].values()),
}


def _brief(kind: str, envelope: dict[str, Any] | None) -> str:
    if envelope is None or kind not in _SAID:
        return ""
    try:
        said = _SAID[kind](Event.from_dict(envelope).data)
        return (said if isinstance(said, str) else codec.encode(said).decode())[:BRIEF]
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError):
        return ""  # a stranger's record may have any shape


def _kind(platform: Platform, entry: dict[str, Any]) -> str:
    if entry["id"] is None:
        return str(entry["source"])  # what was rejected is no event: the log names the source that rejected it
    attributes = {name: entry[name] for name in ("id", "source", "type", "subject")}
    return platform.dispatcher.engine.source_of(Event(**attributes)).name


def _advice(platform: Platform, entry: dict[str, Any]) -> dict[str, Any]:
    stored = Event.from_dict(entry["envelope"])
    return {
        "suggestion": platform.dispatcher.engine.source_of(stored).suggest(stored),
        "explanations": list(_explanations(platform, stored, entry["kind"])),
    }


def _explanations(platform: Platform, stored: Event, kind: str) -> Iterator[dict[str, Any]]:
    """Why each subscription to the event's own source does not take it; those to other sources never could."""
    for handler, subscription, why in platform.dispatcher.router.explain(stored):
        if subscription.source == kind:
            yield {"handler": handler.name, "summary": subscription.summary, "why": why}
