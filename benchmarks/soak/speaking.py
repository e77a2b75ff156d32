"""One who speaks to the platform as all its sources do, turn by turn, and notes how long the answers took."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.measure import Wrong
from botplatform.hosts.local import simulate
from botplatform.hosts.local.development import alexa_authority
from botplatform.settings import Settings
from botplatform.sources.slack import signature

SENSORS = 50
READINGS, COMMANDS, INTENTS, ORDERS, RECORDS = 20, 4, 1, 2, 5
SECRET = "made for the soak"
# What one turn adds to the plugin's counters.
TURN = Counter(mqtt=READINGS, slack=COMMANDS, alexa=INTENTS, cloudevents=ORDERS, emitted=ORDERS, cloudtrail=RECORDS)
_PATIENCE = 30.0


class Speaker:
    """Speaks over one connection to HTTP and one to the broker; `took` are the seconds of each answer since asked."""

    def __init__(self, url: str, broker_port: int, settings: Settings, number: int) -> None:
        address = urlsplit(url)
        self._http = http.client.HTTPConnection(str(address.hostname), address.port, timeout=_PATIENCE)
        self._authority = alexa_authority(settings)
        self._number = number
        self._lock = threading.Lock()
        self._took: list[float] = []
        self._mqtt = paho.Client(CallbackAPIVersion.VERSION2)
        self._mqtt.max_inflight_messages_set(1000)
        self._mqtt.connect("127.0.0.1", broker_port)
        self._mqtt.loop_start()

    def turn(self) -> None:
        """Say one thing of each kind, or some; raises Wrong for an answer that is none."""
        sent = [self._publish(number) for number in range(READINGS)]
        for _ in range(COMMANDS):
            body = simulate.slack_command("/temp 7", f"U{self._number}")
            began = time.perf_counter()
            self._post("/slack", body, signature.sign(SECRET, body, datetime.now(UTC)))
            with self._lock:
                self._took.append(time.perf_counter() - began)
        for _ in range(INTENTS):
            body = simulate.alexa_intent("TemperatureIntent", {"room": "kitchen"}, datetime.now(UTC))
            self._post("/alexa", body, self._authority.sign(body))
        for _ in range(ORDERS):
            self._post("/events", _order(), {"content-type": "application/cloudevents+json"})
        self._post("/events", _records(), {"content-type": "application/json"})
        for message in sent:
            message.wait_for_publish(_PATIENCE)

    def took(self) -> list[float]:
        """The seconds each command took that was answered since this was asked last."""
        with self._lock:
            took, self._took = self._took, []
        return took

    def close(self) -> None:
        """Hang up."""
        self._http.close()
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def _publish(self, number: int) -> paho.MQTTMessageInfo:
        payload = json.dumps({"celsius": number, "id": uuid.uuid4().hex})
        return self._mqtt.publish(f"sensors/{(self._number * 7 + number) % SENSORS}/temperature", payload, qos=1)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        self._http.request("POST", path, body, headers)
        response = self._http.getresponse()
        answer = response.read()
        if response.status not in (200, 202):
            raise Wrong(f"{path} answered {response.status}: {answer[:200]!r}")


def _order() -> bytes:
    event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "/shop", "type": "com.example.ordered"}
    return json.dumps({**event, "data": {"items": ["lamp"] * 20}}).encode()


def _records() -> bytes:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = {
        "eventVersion": "1.08",
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "awsRegion": "us-east-1",
        "eventTime": at,
        "recipientAccountId": "111122223333",
    }
    return json.dumps({"Records": [{**record, "eventID": str(uuid.uuid4())} for _ in range(RECORDS)]}).encode()
