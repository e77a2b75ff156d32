"""The console's API as its page uses it, and a platform with something to show."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botplatform.effect import Publication
from botplatform.hosts.local.platform import Platform
from tests.hosts.local.running import Answer, log
from tests.mosquitto import eventually

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {path.stem: path.read_text() for path in (ROOT / "plugins").glob("*.py")}
MOODY = '''
"""Goes wrong in every way in which a plugin can."""
from botplatform import Context, Reply, Retry, alexa, hookimpl, mqtt
from botplatform.effect import Effect
from botplatform.errors import Rejected

USES = ["pager"]

@mqtt.topic("moody/later")
def put_off() -> None:
    raise Retry("the pump does not answer", after=3600)

@mqtt.topic("moody/never")
def give_up() -> None:
    raise Retry("the pump is gone", after=0.001)

@mqtt.topic("moody/page")
def page(ctx: Context) -> None:
    ctx.effect("pager", {"who": "nobody"})

@alexa.intent("CountIntent", samples=["count on"])
def count(event) -> Reply:
    number = event.data["session"]["attributes"].get("number", 0) + 1
    return Reply(str(number), reprompt="And?", session={"number": number})

def beep(arguments, key):
    raise Rejected("nobody has no pager")

@hookimpl
def effects(settings, host):
    return [Effect("pager", beep, "pagers")]
'''
PICKY = '''
"""Wants a number from every gauge, and keeps what each said."""
from botplatform import Context, Event, Rejected, mqtt

USES = ["text"]

@mqtt.topic("gauges/{name}")
def take(event: Event, ctx: Context) -> None:
    if not isinstance(event.data.get("bar"), (int, float)):
        raise Rejected(f"bar is no number: {event.data.get('bar')!r}")
    ctx.state[ctx.params["name"]] = event.data
    ctx.text("owner", f"{ctx.params['name']} says {event.data['bar']}")
'''
DOORS = '''
"""Counts the doors that were opened, and has somebody greeted for each."""
from botplatform import Context, Event, cloudevents, mqtt

USES = ["emit"]

@mqtt.topic("doors/{door}/opened")
def count(event: Event, ctx: Context) -> None:
    ctx.state.add("opened", 1)
    ctx.emit(Event(type="com.example.door.opened", subject=ctx.params["door"], data={"door": ctx.params["door"]}))

@cloudevents.event("com.example.door.opened")
def greet(event: Event) -> str:
    return f"welcome at the {event.subject}"
'''
PLUGINS = {
    **SHIPPED,
    "moody": MOODY,
    "picky": PICKY,
    "doors": DOORS,
    "mistaken": '"""Has a slip of the pen."""\nfrom botplatform import mqqt\n',
}


class Session:
    """Speaks to the console of a platform as its page does."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._host = urlsplit(platform.url)

    @cached_property
    def token(self) -> str:
        """The token that the page was given."""
        found = re.search(r'name="console-token" content="([^"]+)"', self.get("/console/").body.decode())
        assert found
        return found[1]

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a path."""
        return self._request("GET", path, None, headers)

    def post(self, box: str, body: Any, **headers: str) -> Answer:
        """Send what somebody typed into a box: with the page's headers, unless others are given."""
        own = {"Content-Type": "application/json", "X-Console-Token": self.token}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self._request("POST", f"/console/api/{box}", content, {**own, **given})
        eventually(lambda: not self.platform.dispatcher.underway.ahead)  # answered, and not in the log yet
        return answer

    def events(self) -> list[dict[str, Any]]:
        """What the console lists, newest first."""
        return list(self.get("/console/api/events").json["events"])

    def happen(self, topic: str, payload: str, done: Callable[[dict[str, Any]], object] | None = None) -> int:
        """Publish as a device, and return the number of the event once it is logged and `done` holds."""
        before = len(log(self.platform))
        self.platform.publish(Publication(topic, payload.encode()))
        eventually(lambda: len(log(self.platform)) > before)
        number = int(log(self.platform)[-1]["number"])
        eventually(lambda: (done or (lambda _: True))(self.details(number)) and not self.platform.busy())
        return number

    def dead_letter(self, topic: str, payload: str) -> int:
        """Publish what its handler gives up on, and return the number of the dead letter."""
        number = self.happen(topic, payload, done=lambda event: [h for h in event["handlers"] if h["status"] == "dead"])
        return int(self.details(number)["handlers"][0]["dead_letter"])

    def dead_letters(self) -> list[dict[str, Any]]:
        """What the console lists as given up."""
        return list(self.get("/console/api/dead-letters").json["dead_letters"])

    def details(self, number: int) -> dict[str, Any]:
        """One event, whole."""
        return dict(self.get(f"/console/api/events/{number}").json)

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._host.hostname or "", self._host.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


def connected(platform: Platform) -> bool:
    """Whether devices reach it."""
    return platform.devices is not None and platform.devices.client.connected
