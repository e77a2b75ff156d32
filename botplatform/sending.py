"""Sends files to a running platform through its real doors: signed for Slack and Alexa, published for MQTT."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any

from botplatform import codec
from botplatform.errors import BotplatformError, Rejected
from botplatform.hosts.local.development import alexa_authority, slack_secret
from botplatform.hosts.local.whereabouts import announced
from botplatform.hosts.records import recognized
from botplatform.plugins import Plugins
from botplatform.settings import Settings
from botplatform.source import Raw
from botplatform.sources.alexa.development import Authority
from botplatform.sources.cloudevents import BATCH, STRUCTURED
from botplatform.sources.mqtt.source import read as read_message
from botplatform.sources.slack import signature

_TIMEOUT = 30


@dataclass(frozen=True)
class Sent:
    """How a file was received: by which source's door, with which HTTP status (0: MQTT took it) and answer."""

    source: str
    status: int
    answer: Any

    @property
    def accepted(self) -> bool:
        """Whether the platform took it."""
        return self.status < 300

    @property
    def text(self) -> str:
        """The words in the answer, whichever source's format it has."""
        answer = self.answer if isinstance(self.answer, dict) else {}
        speech = answer.get("response", {}).get("outputSpeech", {})
        words = answer.get("text") or speech.get("text") or speech.get("ssml") or answer.get("error")
        return str(words or answer.get("challenge") or _counted(answer))


class Sender:
    """Knows where the platform is and how to sign what it wants signed."""

    def __init__(self, settings: Settings, url: str = "", mqtt_url: str = "") -> None:
        running = announced(settings.state)
        self._settings = settings
        self._url = url or running.get("url") or f"http://127.0.0.1:{settings.port}"
        self._mqtt_url = (
            mqtt_url or settings.mqtt_url or running.get("mqtt") or f"mqtt://127.0.0.1:{settings.mqtt_port}"
        )
        self._sources = Plugins().sources

    def send(self, path: Path) -> Sent:
        """Send one file; raises Rejected when no source recognizes it, BotplatformError when nobody is there."""
        body = content(path)
        source = recognized(self._sources, Raw(body)).name
        if source == "slack":
            return self._post(source, "/slack", body, signed_for_slack(body, slack_secret(self._settings)))
        if source == "alexa":
            return self._alexa(body)
        if source == "mqtt":
            return self._publish(body)
        return self._post(source, "/events", body, {"content-type": _media_type(source, body), **self._token()})

    def _alexa(self, body: bytes) -> Sent:
        if self._settings.alexa_skill_ids:
            raise Rejected("only Amazon can sign for the skill in ALEXA_SKILL_ID: try without that setting")
        fresh = codec.encode(said_now(body))
        return self._post("alexa", "/alexa", fresh, self._authority.sign(fresh))

    @cached_property
    def _authority(self) -> Authority:
        return alexa_authority(self._settings)

    def _token(self) -> dict[str, str]:
        token = self._settings.events_token
        return {"authorization": f"Bearer {token}"} if token else {}

    def _post(self, source: str, path: str, body: bytes, headers: Mapping[str, str]) -> Sent:
        return post(source, self._url, path, body, headers, "start the platform with `botplatform run`")

    def _publish(self, body: bytes) -> Sent:
        from paho.mqtt import MQTTException
        from paho.mqtt.publish import single

        from botplatform.hosts.mqtt.client import Connection

        message, settings = read_message(codec.decode(body)), self._settings
        broker = Connection(
            self._mqtt_url, "botplatform-send", settings.mqtt_ca_file, settings.mqtt_cert_file, settings.mqtt_key_file
        )
        # It complains of the connection it closed itself; what matters is raised.
        logging.getLogger("paho.mqtt.client").setLevel(logging.CRITICAL)
        login = {"username": broker.username, "password": broker.password} if broker.username else None
        try:
            single(
                message.topic,
                message.payload,
                message.qos,
                message.retain,
                broker.host,
                broker.port,
                auth=login,  # type: ignore[arg-type]
                tls=broker.tls(),  # type: ignore[arg-type]
            )
        except (OSError, MQTTException) as error:
            raise BotplatformError(f"the broker at {broker.address} does not take it: {error}") from error
        return Sent("mqtt", 0, None)


def post(source: str, url: str, path: str, body: bytes, headers: Mapping[str, str], advice: str) -> Sent:
    """Post a body as its source would; raises BotplatformError with the advice when nobody answers."""
    media_type = "application/json" if body[:1] in (b"{", b"[") else "application/x-www-form-urlencoded"
    try:
        request = urllib.request.Request(url + path, body, {"content-type": media_type, **headers})
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            return Sent(source, response.status, decoded(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Sent(source, error.code, decoded(error.read()))
    except (OSError, HTTPException, ValueError) as error:
        raise BotplatformError(f"nobody answers at {url} ({getattr(error, 'reason', error)}): {advice}") from error


def signed_for_slack(body: bytes, secret: str) -> dict[str, str]:
    """The headers that Slack would send with a body now."""
    return signature.sign(secret, body, datetime.now(UTC))


def said_now(body: bytes) -> dict[str, Any]:
    """An Alexa request with the current time: one older than 150 s is refused, and this was written down once."""
    request: dict[str, Any] = codec.decode(body)
    request["request"]["timestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return request


def _counted(receipt: dict[str, Any]) -> str:
    """What `/events` says it took and refused, in words."""
    refused = [f"{r['where']}: {r['reason']}".removeprefix(": ") for r in receipt.get("rejected", ())]
    taken = receipt.get("accepted")
    words = [f"{taken} event{'' if taken == 1 else 's'} accepted"] if taken is not None else []
    return "; ".join([*words, *(f"refused {reason}" for reason in refused)])


def content(path: Path) -> bytes:
    """What is in a file; raises Rejected when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Rejected(f"cannot be read: {error.strerror}", str(path)) from error


def _media_type(source: str, body: bytes) -> str:
    if source != "cloudevents":
        return "application/json"
    return BATCH if body.lstrip()[:1] == b"[" else STRUCTURED


def decoded(body: bytes) -> Any:
    """An answer as JSON values, or as text where it is none."""
    try:
        return codec.decode(body)
    except Rejected:
        return body.decode(errors="replace")
