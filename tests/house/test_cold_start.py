"""What a function on Lambda imports for its first event: only what that event needs, since every import is paid for.

Modules are named here, not times: `python -m benchmarks cold_start` measures those.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from botplatform.sources.slack import signature

ROOT = Path(__file__).resolve().parents[2]
SKILL = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"
SECRET = "made for this test"
ENVIRONMENT = {"SLACK_SIGNING_SECRET": SECRET, "ALEXA_SKILL_ID": SKILL}

PLUGINS = {
    "mqtt": """
        @mqtt.topic("sensors/{room}/temperature")
        def notice(event: Event, ctx: Context) -> None:
            assert (ctx.params["room"], event.data) == ("kitchen", {"celsius": 21})
    """,
    "cloudtrail": """
        @cloudtrail.event({"eventName": ["CreateAccessKey"], "userIdentity": {"type": ["Root"]}})
        def notice(event: Event, ctx: Context) -> None:
            assert event.data["eventSource"] == "iam.amazonaws.com"
    """,
    "schedule": """
        @schedule.on("cron(0 7 ? * MON-FRI *)", timezone="Europe/Berlin")
        def notice(event: Event, ctx: Context) -> None:
            assert event.subject == "first.notice"
    """,
    "slack": """
        @slack.command("/temp {room}")
        def answer(event: Event, ctx: Context) -> str:
            return f"It is warm in the {ctx.params['room']}."
    """,
    "alexa": """
        @alexa.intent("TemperatureIntent", samples=["how warm is the {room}"], slots={"room": "AMAZON.Room"})
        def answer(event: Event, ctx: Context) -> str:
            return f"It is warm in the {ctx.params['room']}."
    """,
}
# Of Python's own: each takes a tenth of bare Python's start or more, and has something in its place or can wait.
HEAVY = {
    *("asyncio", "ast", "base64", "calendar", "dataclasses", "decimal", "difflib", "email", "gzip", "hashlib", "hmac"),
    *("http", "inspect", "ipaddress", "logging", "pathlib", "random", "shutil", "socket", "ssl", "subprocess"),
    *("tempfile", "traceback", "urllib", "uuid", "zoneinfo"),
}
# What checking a signature takes.
FOR_SLACK = {"hashlib", "hmac"}
SCRIPT = """
import json, sys
sys.path[:0] = sys.argv[1:]
from botplatform.hosts.aws_lambda.entry import handle
answer = handle(json.load(sys.stdin), None)
import typing
makers = [name for name, module in sys.modules.items() if getattr(module, "NamedTuple", None) is typing.NamedTuple]
print(json.dumps([answer, sorted(sys.modules), makers]))
"""


def sample(name: str) -> Any:
    return json.loads((ROOT / "events" / name).read_bytes())


def called_with(source: str) -> Any:
    """What Lambda calls the function with."""
    if source == "slack":
        body = (ROOT / "events" / "slack" / "temp-kitchen.form").read_text().strip()
        headers = signature.sign(SECRET, body.encode(), datetime.now(UTC))
        return {"rawPath": "/slack", "requestContext": {"http": {"method": "POST"}}, "headers": headers, "body": body}
    return {
        "mqtt": {
            "payload_base64": "eyJjZWxzaXVzIjogMjF9",
            "topic": "sensors/kitchen/temperature",
            "id": "3b0e4f2a-4f4e-4a57-8e9c-57d4c1b5d7a1",
            "timestamp": 1767614400000,
        },
        "cloudtrail": sample("cloudtrail/root-makes-access-key.eventbridge.json"),
        "schedule": {"schedule": "first.notice", "time": "2026-01-05T06:00:00Z"},
        "alexa": sample("alexa/temperature-kitchen.json"),
    }[source]


def first_event(source: str, folder: Path) -> tuple[Any, list[str], list[str]]:
    """Handle the first event of a new process: its answer, all modules imported, and those with typing's NamedTuple.

    There are no site-packages, so nothing but botplatform and Python itself can be imported at all.
    """
    plugins = folder / "botplatform_plugins"
    plugins.mkdir()
    text = "\n".join(line[8:] for line in PLUGINS[source].splitlines())
    (plugins / "first.py").write_text(f"from botplatform import Context, Event, {source}\n{text}")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", SCRIPT, str(ROOT), str(folder)],
        input=json.dumps(called_with(source)),
        env={**ENVIRONMENT, "BOTPLATFORM_LOAD": "first", "BOTPLATFORM_SOURCES": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer, modules, makers = json.loads(done.stdout.splitlines()[-1])
    return answer, modules, [name for name in makers if name != "typing"]


@pytest.mark.parametrize("source", PLUGINS)
def test_a_first_event_imports_nothing_it_does_not_need(source: str, tmp_path: Path) -> None:
    answer, modules, makers = first_event(source, tmp_path)

    assert "It is warm in the kitchen." in json.dumps(answer) or answer == {"accepted": 1, "rejected": []}
    needless = HEAVY - FOR_SLACK if source == "slack" else HEAVY
    assert needless & {name.partition(".")[0] for name in modules} == set()
    # One class that is made in the expensive way costs what all others save: botplatform.values has why.
    assert makers == []
