"""The stage on this machine: the local host with its doors, its broker and its store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.publish import single

from botplatform.hosts.local.development import alexa_authority, slack_verify
from botplatform.hosts.local.doors import Doors
from botplatform.hosts.local.platform import Platform
from botplatform.sources.alexa.signature import Verifier
from tests.conformance.outside import Devices
from tests.conformance.stage import OWNER, SKILL, Answer, payload_of
from tests.hosts.local import running
from tests.hosts.local.fake_slack import FakeSlack
from tests.mosquitto import eventually

FOLDERS = [Path(__file__).parents[2] / "plugins", Path(__file__).parent / "plugins"]


@contextmanager
def local_stage(folder: Path) -> Iterator[LocalStage]:
    """A stage that keeps its state in a folder."""
    slack = FakeSlack()
    settings = running.configured(folder, BOTPLATFORM_RECIPIENTS=f"owner={OWNER}", **slack.settings)
    platform = Platform(settings, FOLDERS, entry_points=False)
    # Only Amazon signs for a real skill: here our own authority does.
    authority = alexa_authority(settings)
    alexa = Verifier([SKILL], authority.chain, authority.roots)
    platform.doors = Doors(platform.dispatcher, slack_verify(settings), alexa.verify)
    devices = None
    try:
        platform.start()
        devices = Devices(urlsplit(platform.mqtt_url).port or 0)
        yield LocalStage(platform, slack, devices)
    finally:
        if devices:
            devices.close()
        platform.stop()
        slack.close()


class LocalStage:
    """A `Stage` in this process."""

    def __init__(self, platform: Platform, slack: FakeSlack, devices: Devices) -> None:
        self._platform = platform
        self._slack = slack
        self._devices = devices
        self._sent = 0
        self.slack_url = slack.url
        eventually(lambda: platform.devices is not None and platform.devices.client.connected)

    def slack(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Send what Slack sends."""
        if headers is None:
            return self._answered(running.from_slack(self._platform, body))
        return self._answered(running.request(f"{self._platform.url}/slack", body, headers))

    def alexa(self, body: bytes) -> Answer:
        """Send what Alexa sends."""
        return self._answered(running.from_alexa(self._platform, body))

    def mqtt(self, topic: str, payload: Any, id: str | None = None) -> None:
        """Publish at the embedded broker; one with an id arrives as a file of it."""
        if id:
            self._post({"topic": topic, "payload": payload, "qos": 1, "id": id})
        else:
            broker = urlsplit(self._platform.mqtt_url)
            single(topic, payload_of(payload), 1, hostname=broker.hostname or "", port=broker.port or 0)
            self._sent += 1

    def cloudtrail(self, record: Mapping[str, Any]) -> None:
        """Post a record."""
        self._post(record)

    def tick(self, schedule: str, time: str) -> None:
        """Post a tick."""
        self._post({"schedule": schedule, "time": time})

    def cloudevent(self, envelope: Mapping[str, Any]) -> None:
        """Post an envelope."""
        self._post(envelope)

    def settle(self) -> None:
        """Wait for the log to have everything, and for nothing to be under way."""
        eventually(lambda: self._arrived() >= self._sent and not self._platform.busy(), about=self._progress)

    def texts(self) -> list[str]:
        """The texts in the outbox."""
        outbox = self._platform.store.log.effects("text")
        return [text["arguments"]["body"] for text in reversed(outbox) if text["status"] == "performed"]

    def slack_messages(self) -> list[tuple[str, str]]:
        """What the fake of Slack took."""
        return self._slack.messages()

    def published(self) -> list[tuple[str, str]]:
        """What devices heard."""
        return self._devices.heard()

    def state(self, plugin: str) -> dict[str, Any]:
        """What a plugin has in its state."""
        return running.state(self._platform, plugin)

    def dead_letters(self) -> list[tuple[str, str]]:
        """The dead letters in the inbox."""
        return [(item.handler, item.reason) for item in self._platform.store.inbox.dead_letters()]

    def log(self) -> list[dict[str, Any]]:
        """The log."""
        entries = running.log(self._platform)
        return [{**entry, "handlers": sorted(entry["handlers"], key=lambda h: h["handler"])} for entry in entries]

    def hears(self, _source: str) -> bool:
        """Everything arrives."""
        return True

    def _post(self, content: Any) -> None:
        answer = running.request(
            f"{self._platform.url}/events", json.dumps(content).encode(), {"content-type": "application/json"}
        )
        assert answer.status in (200, 202), answer.body
        self._sent += 1

    def _answered(self, answer: running.Answer) -> Answer:
        answered = Answer(answer.status, answer.json if answer.body else None)
        self._sent += answered.of_an_event
        return answered

    def _progress(self) -> str:
        busy = self._platform.dispatcher.busy(), self._platform._performer.busy()
        return f"({self._arrived()} of {self._sent} events have arrived; handlers, effects are busy: {busy})"

    def _arrived(self) -> int:
        return sum(entry["deliveries"] for entry in running.log(self._platform))
