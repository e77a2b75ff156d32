"""What led to an event is known for as long as the event is: through retries, and in the dead letters."""

from __future__ import annotations

from pathlib import Path

from botplatform.codec import encode
from tests.hosts.local.running import log, request, running, state
from tests.mosquitto import eventually

LOOP = '''
"""Emits an event to itself, each only at the second try."""

from botplatform import Context, Event, Retry, cloudevents

USES = ["emit"]
tried = set()


@cloudevents.event("com.example.echo")
def echo(event: Event, ctx: Context) -> None:
    if event.id not in tried:
        tried.add(event.id)
        raise Retry("not yet", after=0.01)
    ctx.state.add("echoes")
    ctx.emit(Event(type="com.example.echo"))
'''


def echo() -> bytes:
    return encode({"specversion": "1.0", "id": "first", "source": "/s", "type": "com.example.echo"})


def test_a_try_that_failed_does_not_count_in_the_chain(tmp_path: Path) -> None:
    with running(tmp_path, {"loop": LOOP}, BOTPLATFORM_CHAIN_LIMIT="3") as platform:
        request(f"{platform.url}/events", echo(), {"content-type": "application/cloudevents+json"})
        eventually(platform.store.inbox.dead_letters)
        [letter] = platform.store.inbox.dead_letters()

        assert letter.reason == "a loop: loop.echo passed 3 times in loop.echo > loop.echo > loop.echo"
        assert state(platform, "loop") == {"echoes": 3}
        assert letter.event.extensions["handlerchain"] == "loop.echo loop.echo loop.echo"
        assert letter.event.extensions["correlationid"] == "first"
        assert letter.event.extensions["causationid"] == log(platform)[-2]["id"]
