"""What malformed inputs are made of: well-formed ones, for everything that reads any."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tests.fuzz.app import GENUINE, ROOT

CORPUS = Path(__file__).with_name("corpus")


@cache
def of_source(name: str) -> list[bytes]:
    """The samples of a source, as they arrive."""
    return [path.read_bytes() for path in sorted((ROOT / "events" / name).iterdir())]


@cache
def all_records() -> list[bytes]:
    """The samples of all sources."""
    return [body for folder in sorted((ROOT / "events").iterdir()) for body in of_source(folder.name)]


@cache
def lambda_calls() -> list[bytes]:
    """What Lambda calls a function with; but no notification of S3, whose file would have to be fetched."""
    files = sorted((ROOT / "fixtures" / "lambda").glob("*.json"))
    return [file.read_bytes() for file in files if not file.stem.startswith("s3-")]


@cache
def queue_messages() -> list[bytes]:
    """The bodies that a queue may carry: records, the wrappers of AWS round them, and dead letters."""
    wrapped = [path.read_bytes() for path in sorted((ROOT / "fixtures" / "lambda").glob("*.json"))]
    letter = {"botplatform": 1, "event": {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}, "reason": ""}
    unread = {"botplatform": 1, "body_base64": "e30=", "reason": "no event"}
    notification = {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:::t", "Message": '{"a": 1}'}
    failed = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": json.loads(wrapped[0])}
    return [*all_records(), *wrapped, *(json.dumps(one).encode() for one in (letter, unread, notification, failed))]


BINARY = [
    b"ce-specversion: 1.0\nce-id: 1\nce-source: /shop\nce-type: com.example.order\nce-time: 2026-01-05T10:00:00Z\n"
    b'ce-subject: "caf\xc3%A9"\ncontent-type: application/json\n\n{"total": 3}',
    b"ce-specversion: 1.0\nce-id: %31\nce-source: /shop\nce-type: t\ncontent-type: image/png\n\n\x89PNG",
    b'content-type: application/cloudevents-batch+json\n\n[{"specversion":"1.0","id":"1","source":"/","type":"t"}]',
]
DEVICES = [
    b'1 0 0 1 sensors/kitchen/temperature\n{"celsius": 21.5}',
    b"2 1 1 65535 gauges/x\nraw",
    b"0 0 0 0 a/b\n\xff",
]
PATTERNS = [
    b'{"source": ["aws.ec2"], "detail": {"state": [{"anything-but": ["running", "pending"]}]}}',
    b'{"a": [{"numeric": [">", 0, "<=", 5]}, {"prefix": {"equals-ignore-case": "x"}}], "b": [{"exists": false}]}',
    b'{"$or": [{"a": [{"wildcard": "x*y\\\\*z"}]}, {"b": {"c": [null, 1, true, "1"]}}]}',
    b'{"ip": [{"cidr": "10.0.0.0/24"}, "2001:db8::1"], "n": [{"suffix": "png"}, {"equals-ignore-case": "\xc3\x9f"}]}',
    b'{"a": [{"anything-but": {"wildcard": ["*a*", "b*"]}}, {"anything-but": {"prefix": "q"}}, {"exactly": "e"}]}',
]
SCHEDULES = [
    *(
        b"cron(0 18 ? * MON-FRI *)\nEurope/Berlin",
        b"cron(*/15 8-17/2 L-3 JAN,DEC ? 2026-2030)\nUTC",
        b"rate(5 minutes)\n",
    ),
    *(b"cron(0 9 ? * 6#3 *)\nAsia/Kolkata", b"cron(0 0 15W * ? *)\nUTC", b"cron(30 2 29 2 ? *)\nAmerica/New_York"),
    *(b"cron(0 7 ? * FRI-MON *)\nPacific/Apia", b"cron(0 0 LW 2 ? 2199)\nUTC", b"rate(1 day)\nEurope/Berlin"),
]
TOPICS = [b"sensors/{room}/temperature", b"$share/group/a/+/#", b"doors/{path...}", b"//{a}/b/", b"\xc3\xa9/{x}"]
COMMANDS = [b"/temp {room}\nkitchen", b"/lock {door} {until}\nfront half past three", b"/help\n"]
TIMES = [b"2h ago", b"yesterday", b"14:30", b"2026-01-05T10:00+01:00", b"90s", b"7 days", b"1.5h", b"20260105"]
SETTINGS = [
    b"BOTPLATFORM_PORT=8080\nMQTT_URL=mqtt://user:secret@host:1883\nMQTT_VERSION=5\nBOTPLATFORM_BLOCK=a, b",
    b"BOTPLATFORM_HOST=0.0.0.0\nBOTPLATFORM_EVENTS_TOKEN=x\nBOTPLATFORM_LOG_DAYS=7\nBOTPLATFORM_IN_FLIGHT=10",
    b"BOTPLATFORM_RECIPIENTS=owner=+15550100, ops=+15550101\nALEXA_SKILL_ID=amzn1.ask.skill.1\nMQTT_PORT=0",
    b"SLACK_SIGNING_SECRET=s\nSLACK_BOT_TOKEN=xoxb-1\nAWS_ACCESS_KEY_ID=A\nAWS_SECRET_ACCESS_KEY=b\nMQTT_CA_FILE=/",
]
_READ = [
    "events?after=0&before=9&limit=10&source=/f&type=org.mqtt*&subject=%5Ba-z%5D*&handler=p&verdict=dead&text=bar",
    "events?since=1767600000&until=9e9&limit=-1",
    *(
        "events/1",
        "events/99999999999999999999",
        "outbox",
        "plugins",
        "dead-letters?limit=1&text=%25",
        "dead-letters/1",
    ),
]
_CHANGE = {
    "slack": ['{"user": "U1", "text": "/temp kitchen"}', '{"user": "U1", "text": "hello"}'],
    "alexa": ['{"intent": "TemperatureIntent", "slots": {"room": "kitchen"}, "session": null}'],
    "mqtt": ['{"topic": "gauges/cellar", "payload": "{}", "qos": 1, "retain": false}'],
    "dead-letters/retry": ['{"numbers": [1, 2, 3]}'],
    "dead-letters/drop": ['{"numbers": [4]}'],
    "dead-letters/1/edit": ['{"data": {"bar": 3}}'],
    "replay": [
        '{"numbers": [1, 2], "handler": "", "dry_run": true, "effects": false}',
        '{"numbers": [1], "handler": "picky.take", "dry_run": false, "effects": false}',
    ],
    "backup": ['{"path": "/copy.db"}'],
    "restore": ['{"path": "/copy.db"}'],
}


def _post(path: str, media_type: str, body: bytes) -> bytes:
    return f"POST {path}\n{GENUINE}: 1\nContent-Type: {media_type}\n\n".encode() + body


@cache
def requests() -> list[bytes]:
    """One request for everything that HTTP offers, as text: first line, headers, an empty line, the body."""
    slack = [_post("/slack", _slack_type(body), body) for body in of_source("slack")]
    alexa = [_post("/alexa", "application/json", body) for body in of_source("alexa")]
    posted = ("cloudevents", "cloudtrail", "mqtt", "schedule")
    events = [_post("/events", "application/json", body) for name in posted for body in of_source(name)]
    binary = [b"POST /events\n" + message for message in BINARY]
    read = [f"GET /console/api/{path}\nAccept: */*\n\n".encode() for path in _READ]
    pages = [f"GET {path}\n\n".encode() for path in ("/", "/health", "/console/", "/console/static/console.js")]
    changing = [
        _post(f"/console/api/{path}", "application/json", body.encode())
        for path, bodies in _CHANGE.items()
        for body in bodies
    ]
    return [*slack, *alexa, *events, *binary, *read, *pages, *changing * 3]


def _slack_type(body: bytes) -> str:
    return "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded"


def corpus() -> list[Path]:
    """The inputs that found something once; the name of each begins with its target's, before the first dot."""
    return sorted(CORPUS.iterdir())
