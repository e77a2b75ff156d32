"""A whole platform in this process, and what others send to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botplatform.hosts.local.development import alexa_authority, slack_secret
from botplatform.hosts.local.platform import Platform
from botplatform.settings import Settings
from botplatform.sources.slack import signature
from tests.mosquitto import eventually


@contextmanager
def running(folder: Path, plugins: Mapping[str, str], **settings: str) -> Iterator[Platform]:
    """A platform with these plugins (name to source), on free ports, its state in a folder that may have some."""
    platform = Platform(configured(folder, **settings), [written(folder, plugins)], entry_points=False)
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()


def configured(folder: Path, **settings: str) -> Settings:
    """Settings for a platform in a folder, on free ports."""
    ports = {"BOTPLATFORM_PORT": "0", "MQTT_PORT": "0"}
    return Settings.read({"BOTPLATFORM_STATE": str(folder / "state"), **ports, **settings})


def written(folder: Path, plugins: Mapping[str, str]) -> Path:
    """The plugin folder, with these plugins in it."""
    home = folder / "plugins"
    home.mkdir(exist_ok=True)
    for name, source in plugins.items():
        (home / f"{name}.py").write_text(source)
    return home


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """What the platform says went wrong."""
        return str(self.json["error"])


def request(
    url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, method: str = "POST", chunked: bool = False
) -> Answer:
    """Send a request, with its length or in chunks."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    content: bytes | Iterable[bytes] = iter([body]) if chunked else body
    try:
        connection.request(method, parts.path, content, dict(headers or {}), encode_chunked=chunked)
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def from_slack(platform: Platform, body: bytes, **headers: str) -> Answer:
    """Send what Slack sends, signed as it does."""
    signed = signature.sign(slack_secret(platform.settings), body, datetime.now(UTC))
    return request(f"{platform.url}/slack", body, {**signed, **headers})


def from_alexa(platform: Platform, body: bytes) -> Answer:
    """Send what Alexa sends, signed as it does."""
    return request(f"{platform.url}/alexa", body, alexa_authority(platform.settings).sign(body))


def log(platform: Platform) -> list[dict[str, Any]]:
    """The log, oldest first, with all that is on its way there."""
    eventually(lambda: not platform.dispatcher.underway.ahead)  # whom nobody waits for any more
    platform.store.write({})  # the writer keeps the order, so what was submitted before this is there after it
    return platform.store.log.events(limit=1_000_000)


def state(platform: Platform, plugin: str) -> dict[str, Any]:
    """What a plugin has in its state."""
    return {key: json.loads(value.json or b"null") for key, value in platform.store.scan(plugin, "")}
