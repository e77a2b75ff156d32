"""The demo: a whole platform on free ports, every sample sent through its real door, and a table of what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botplatform import codec
from botplatform.hosts.local.platform import Platform
from botplatform.sending import Sender, Sent, content
from botplatform.settings import Settings

_PATIENCE = 20.0


@dataclass(frozen=True)
class Step:
    """One sample: what was sent, what came of it, and how that differs from what should have."""

    file: str
    handlers: list[str]
    reply: str
    effects: list[str]
    seconds: float
    wrong: list[str] = field(default_factory=list)


def samples(folder: Path) -> list[dict[str, Any]]:
    """The samples in the order in which they tell a story, with what each should do (`fixtures/samples.json`)."""
    return list(codec.decode(content(folder / "samples.json")))


def play(events: Path, fixtures: Path, plugins: Path, state: Path) -> Iterator[Step]:
    """Start a platform with fresh state in `state`, send every sample, and stop it; yields a step a sample."""
    settings = Settings.read({"BOTPLATFORM_STATE": str(state), "BOTPLATFORM_PORT": "0", "MQTT_PORT": "0"})
    told = samples(fixtures)
    platform = Platform(settings, [plugins], entry_points=False)
    try:
        platform.start()
        sender = Sender(settings, platform.url, platform.mqtt_url)
        _until(lambda: platform.devices is not None and platform.devices.client.connected)
        for sample in told:
            yield _send(platform, sender, events / sample["file"], sample)
    finally:
        platform.stop()


def _send(platform: Platform, sender: Sender, path: Path, sample: Mapping[str, Any]) -> Step:
    """Send one sample, wait until all that follows from it has happened, and compare."""
    before = max((entry["number"] for entry in platform.store.log.events(limit=1, newest_first=True)), default=0)
    began = time.monotonic()
    sent = sender.send(path)
    wanted = len(sample["events"])
    _until(lambda: len(platform.store.log.events(after=before)) >= wanted and not platform.busy())
    entries = platform.store.log.events(after=before)
    handled = [handler for entry in entries for handler in entry["handlers"]]
    return Step(
        file=sample["file"],
        handlers=[handler["handler"] for handler in handled],
        reply=_reply(sent, handled),
        effects=[brief for handler in handled for brief in _briefs(handler)],
        seconds=time.monotonic() - began,
        wrong=list(_differences(sample, sent, entries)),
    )


def outcome(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What came of an event, as `samples.json` writes it down."""
    return {
        "verdict": entry["verdict"],
        "handlers": {handler["handler"]: _handled(handler) for handler in entry["handlers"]},
    }


def _handled(handler: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"status": handler["status"]}
    if handler.get("reply"):
        told["reply"] = handler["reply"]["text"]
    if handler.get("effects"):
        told["effects"] = [_told(effect) for effect in handler["effects"]]
    if handler.get("suppressed"):
        told["suppressed"] = len(handler["suppressed"])
    return told


def _told(effect: Mapping[str, Any]) -> list[str]:
    arguments = effect["arguments"]
    to = arguments.get("to") or arguments.get("channel") or arguments.get("topic") or ""
    said = arguments.get("body") or arguments.get("text") or arguments.get("payload") or ""
    return [effect["name"], effect["status"], to, said]


def _differences(sample: Mapping[str, Any], sent: Sent, entries: list[dict[str, Any]]) -> Iterator[str]:
    if not sent.accepted:
        yield f"it was refused with {sent.status}: {sent.text}"
    if "answer" in sample and sent.text != sample["answer"]:
        yield f"the answer was {sent.text!r}, wanted {sample['answer']!r}"
    found = [outcome(entry) for entry in entries]
    if found != sample["events"]:
        yield f"it led to {codec.encode(found).decode()}, wanted {codec.encode(sample['events']).decode()}"


def _reply(sent: Sent, handled: list[dict[str, Any]]) -> str:
    return sent.text or next((h["reply"]["text"] for h in handled if h.get("reply")), "")


def _briefs(handler: Mapping[str, Any]) -> Iterator[str]:
    """What a handler did besides answering, in a few words each."""
    for effect in handler.get("effects", ()):
        name, _, to, said = _told(effect)
        yield f"{name} to {to}: {said}"
    yield from (f"suppressed {reason}" for reason in handler.get("suppressed", ()))
    if handler["status"] == "dead":
        yield f"dead letter: {handler['reason']}"


def _until(condition: Any) -> None:
    """Return once something is so; whoever waited too long sees it in the comparison."""
    end = time.monotonic() + _PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
