"""Those who send to a platform all the time, and again until it says that it has what they sent."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import pairwise
from urllib.parse import urlencode

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from botplatform.sources.cloudevents import STRUCTURED
from botplatform.sources.slack import signature
from tests.faults.outside import SETTINGS
from tests.hosts.local.running import Answer, request

SENDERS = ("a", "b", "c", "d")
PACE = 0.02
# Seconds between two tries.
_AGAIN = 0.01
_PATIENCE = 120.0


class Load:
    """Devices that count over MQTT, and people and programs that do over HTTP, each every `pace` seconds.

    `published` says how many numbers each device sent, `posted` and `commanded` how many of theirs the platform took,
    `taken` when each of these was sent and taken. `heard` is what the platform published.
    """

    def __init__(self, url: str, mqtt_port: int, pace: float) -> None:
        self.published = dict.fromkeys(SENDERS, 0)
        self.posted = 0
        self.commanded = 0
        self.taken: list[tuple[float, float]] = []
        self.heard: list[str] = []
        self._url = url
        self._pace = pace
        self._enough = threading.Event()
        self._over = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="devices")
        self._client.max_inflight_messages_set(1000)
        self._client.on_message = lambda _client, _data, message: self.heard.append(message.payload.decode())
        self._client.connect("127.0.0.1", mqtt_port)
        self._client.subscribe("out/#", 1)
        self._client.loop_start()
        loops = (self._publish, self._post, self._command)
        self._threads = [threading.Thread(target=loop, name=loop.__name__) for loop in loops]

    def begin(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def say(self, topic: str) -> None:
        """Publish something of no meaning."""
        self._client.publish(topic, "1", 1)

    def end(self) -> None:
        """Send nothing new, and return once the platform has taken all that was sent; fails when it takes too long."""
        self._enough.set()
        for thread in self._threads:
            if thread.ident:
                thread.join(_PATIENCE)
                assert not thread.is_alive(), "the platform does not take what is sent"

    def close(self) -> None:
        """End, whether all was taken or not, and hang up."""
        self._over.set()
        self.end()
        self._client.disconnect()
        self._client.loop_stop()

    def recoveries(self, deaths: Sequence[float]) -> list[float]:
        """Seconds from each death until the platform took an event sent after it, if it did before the next death."""
        spans = pairwise([*deaths, math.inf])
        return [taken - death for death, next_ in spans if (taken := self._first_taken(death)) < next_]

    def _first_taken(self, death: float) -> float:
        return min((taken for sent, taken in self.taken if sent > death), default=math.inf)

    def _publish(self) -> None:
        while not self._enough.wait(self._pace):
            for sender in SENDERS:
                self._client.publish(f"numbers/{sender}", str(self.published[sender]), 1)
                self.published[sender] += 1

    def _post(self) -> None:
        while not self._enough.wait(self._pace):
            self._until_taken(lambda: post(self._url, self.posted))
            self.posted += 1

    def _command(self) -> None:
        while not self._enough.wait(self._pace):
            self._until_taken(lambda: command(self._url, self.commanded))
            self.commanded += 1

    def _until_taken(self, send: Callable[[], Answer]) -> None:
        while not self._over.is_set():
            sent = time.monotonic()
            if _is_taken(send):
                self.taken.append((sent, time.monotonic()))
                return
            time.sleep(_AGAIN)


def _is_taken(send: Callable[[], Answer]) -> bool:
    try:
        return send().status < 300
    except (OSError, HTTPException):
        return False  # nobody is there, or it died before it answered


def post(url: str, number: int, kind: str = "posted", data: object = None) -> Answer:
    """Post the event of a number, the same one each time; `data` is that number if nothing else is given."""
    attributes = {"specversion": "1.0", "id": f"{kind} {number}", "source": "/tests", "type": f"com.example.{kind}"}
    body = json.dumps({**attributes, "data": number if data is None else data}).encode()
    return request(f"{url}/events", body, {"Content-Type": STRUCTURED})


def command(url: str, number: int, name: str = "/count") -> Answer:
    """Give a command as Slack does, the same one each time for a number."""
    fields = {"command": name, "text": str(number), "team_id": "T1", "user_id": "U1", "trigger_id": f"1.2.{number}"}
    body = urlencode({**fields, "response_url": f"{url}/nowhere"}).encode()
    return request(f"{url}/slack", body, signature.sign(SETTINGS["SLACK_SIGNING_SECRET"], body, datetime.now(UTC)))
