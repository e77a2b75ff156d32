"""What does a function's first event cost, a whole process from its start to its end, beside the peers on Lambda?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.bars import Bar, at_most
from benchmarks.cold_start.account import Account
from benchmarks.cold_start.process import Bundle, Start
from benchmarks.commands import SECRET, commands, signed
from benchmarks.measure import Contender, Figures, Race, Wrong
from benchmarks.servers import ROOT, installed

DONE = json.dumps({"accepted": 1, "rejected": []})
WARM = "It is warm in the kitchen."
SKILL = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"
NOTHING = Start()
OURS = "botplatform.hosts.aws_lambda.entry"


def races() -> Iterator[Race]:
    """Four races, each with a yardstick of its own."""
    with tempfile.TemporaryDirectory() as folder, Account(SECRET) as account:
        bundle = Bundle(Path(folder))
        yield _without_state(bundle)
        yield _with_state(bundle, account)
        yield _slack(bundle, account)
        yield _alexa(bundle)


def _without_state(bundle: Bundle) -> Race:
    trail = _sample("cloudtrail/root-makes-access-key.eventbridge.json")
    tick = {"schedule": "nightly.run", "time": "2026-01-05T02:00:00Z"}
    starts = {
        "bare Python": (NOTHING, "starts, and ends"),
        "the platform: CloudTrail": (_ours("key_made", "cloudtrail", trail), "by an EventBridge rule"),
        "the platform: MQTT": (_ours("reading", "mqtt", _reading()), "by an IoT rule"),
        "the platform: a schedule": (_ours("nightly", "schedule", tick), "by EventBridge Scheduler"),
        "chalice": (_peer("with_chalice", trail, "CreateAccessKey"), "the same EventBridge event"),
        "aws_lambda_powertools": (_peer("with_powertools", trail, "CreateAccessKey"), "the same, with its Logger"),
    }
    bars = [at_most(name, 4, of="bare Python") for name in starts if name.startswith("the platform")]
    return _race("cold_start: a first event, no state", bundle, starts, bars, ("chalice", "aws_lambda_powertools"))


def _with_state(bundle: Bundle, account: Account) -> Race:
    client = _peer("client_only", {}, "dynamodb", **account.environment)
    ours = _ours("last_reading", "mqtt", _reading(), **account.environment, BOTPLATFORM_TABLE="state")
    return Race(
        "cold_start: a first event that changes state",
        [
            Contender("bare Python and one boto3 client", partial(bundle.run, client), "made, and asked nothing"),
            Contender(
                "the platform: MQTT",
                partial(_measure_committed, bundle, ours, account),
                "client, marker and value included; DynamoDB is a socket on this machine that answers at once",
            ),
        ],
        bars=[at_most("the platform: MQTT", 1.1, of="bare Python and one boto3 client")],
    )


def _slack(bundle: Bundle, account: Account) -> Race:
    body = commands(1)[0]
    request = {
        "version": "2.0",
        "rawPath": "/slack",
        "headers": {"content-type": "application/x-www-form-urlencoded", **signed(body)},
        "requestContext": {"http": {"method": "POST", "path": "/slack"}},
        "body": body.decode(),
        "isBase64Encoded": False,
    }
    stored = {"BOTPLATFORM_SECRETS": "SLACK_SIGNING_SECRET=ssm:/secret", **account.environment}
    kept = {**stored, "BOTPLATFORM_TABLE": "state"}
    starts = {
        "slack_bolt": (_peer("with_bolt", request, WARM, SLACK_SIGNING_SECRET=SECRET), "its adapter for Lambda"),
        "the platform": (
            _ours("warm_room", "slack", request, WARM, SLACK_SIGNING_SECRET=SECRET),
            "the same signed request",
        ),
        "the platform, deployed": (
            _ours("warm_room", "slack", request, WARM, **stored),
            "the same, the secret asked from the Parameter Store (a socket on this machine that answers at once)",
        ),
        "the platform, with state": (_ours("asked_room", "slack", request, WARM, **kept), "and a value counted"),
    }
    bars = [at_most(name, 0.25, of="slack_bolt") for name in ("the platform", "the platform, deployed")]
    return _race("cold_start: Slack's first command", bundle, starts, bars)


def _alexa(bundle: Bundle) -> Race:
    request = _sample("alexa/temperature-kitchen.json")
    starts = {
        "ask_sdk_core": (_peer("with_ask_sdk", request, WARM), "its SkillBuilder"),
        "the platform": (_ours("warm_room", "alexa", request, WARM, ALEXA_SKILL_ID=SKILL), "the same request"),
    }
    return _race("cold_start: Alexa's first intent", bundle, starts, [at_most("the platform", 0.5, of="ask_sdk_core")])


def _race(
    title: str,
    bundle: Bundle,
    starts: dict[str, tuple[Start, str]],
    bars: Sequence[Bar],
    optional: Sequence[str] = (),
) -> Race:
    missing = {name: "it is not installed (benchmarks/README.md)" for name in optional if not installed(name)}
    contenders = [
        Contender(name, partial(bundle.run, start), note)
        for name, (start, note) in starts.items()
        if name not in missing
    ]
    return Race(title, contenders, missing, bars)


def _ours(plugin: str, source: str, event: Any, answer: str = DONE, **environment: str) -> Start:
    own = {"BOTPLATFORM_LOAD": plugin, "BOTPLATFORM_SOURCES": source}
    return Start(OURS, event, answer, {**environment, **own}, packages="BOTPLATFORM_TABLE" in environment)


def _peer(module: str, event: Any, answer: str, **environment: str) -> Start:
    return Start(module, event, answer, environment, packages=True)


def _measure_committed(bundle: Bundle, start: Start, account: Account) -> Figures:
    """What a process takes that has to put a marker and a value into the table, in one write."""
    account.requests.clear()
    figures = bundle.run(start)
    writes = [body for target, body in account.requests if target.endswith(".TransactWriteItems")]
    if len(writes) != 1 or b"last_reading" not in writes[0] or b"done#" not in writes[0]:
        raise Wrong(f"wanted a marker and a value in one write, got {account.requests}")
    return figures


def _reading() -> dict[str, Any]:
    """A message as the IoT rule hands it over."""
    return {
        "payload_base64": "eyJjZWxzaXVzIjogMjF9",
        "topic": "sensors/kitchen/temperature",
        "id": "3b0e4f2a-4f4e-4a57-8e9c-57d4c1b5d7a1",
        "timestamp": 1767614400000,
    }


def _sample(name: str) -> Any:
    return json.loads((ROOT / "events" / name).read_bytes())
