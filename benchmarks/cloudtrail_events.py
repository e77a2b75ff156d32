"""CloudTrail records as EventBridge delivers them: real ones out of a folder, or variations of our samples."""

from __future__ import annotations

import gzip
import json
import os
import random
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.servers import ROOT

FOLDER = "BENCHMARK_CLOUDTRAIL"
SAMPLES = ROOT / "events" / "cloudtrail"
VARIATIONS = 2900
# What EventBridge calls the events of a record's type (EventBridge User Guide, "AWS service events via CloudTrail").
_DETAIL_TYPES = {
    "AwsConsoleSignIn": "AWS Console Sign In via CloudTrail",
    "AwsServiceEvent": "AWS Service Event via CloudTrail",
}

Record = dict[str, Any]


class Trail(NamedTuple):
    """CloudTrail records, the same wrapped as EventBridge events, those as compact JSON, and where they are from."""

    records: list[Record]
    events: list[dict[str, Any]]
    bodies: list[bytes]
    origin: str


def trail(environment: dict[str, str] | None = None) -> Trail:
    """The records in the folder that BENCHMARK_CLOUDTRAIL names (CloudTrail's `.json.gz` files), else variations."""
    folder = (os.environ if environment is None else environment).get(FOLDER)
    records = list(_in_folder(Path(folder))) if folder else varied(VARIATIONS)
    if not records:
        raise FileNotFoundError(f"there are no .json.gz files with records in {folder}, which {FOLDER} names")
    events = [wrapped(record) for record in records]
    bodies = [json.dumps(event, separators=(",", ":")).encode() for event in events]
    kind = f"records of {Path(folder).name}" if folder else f"variations of our samples ({FOLDER} names no folder)"
    return Trail(records, events, bodies, f"{len(records):,} {kind}, {_mean(map(len, bodies)):,.0f} bytes each")


def wrapped(record: Record) -> dict[str, Any]:
    """The EventBridge event that brings a record."""
    return {
        "version": "0",
        "id": record["eventID"],
        "detail-type": _DETAIL_TYPES.get(record.get("eventType", ""), "AWS API Call via CloudTrail"),
        "source": source_of(record),
        "account": record.get("recipientAccountId", ""),
        "time": record["eventTime"],
        "region": record.get("awsRegion", ""),
        "resources": [],
        "detail": record,
    }


def source_of(record: Record) -> str:
    """What EventBridge calls the service of a record: `aws.iam`."""
    return f"aws.{record['eventSource'].partition('.')[0]}"


def varied(count: int, seed: int = 5) -> list[Record]:
    """So many records like our samples: other ids, times, users, addresses, services and API calls."""
    chance = random.Random(seed)
    samples = list(_samples())
    return [_variation(chance, chance.choice(samples)) for _ in range(count)]


def _variation(chance: random.Random, sample: Record) -> Record:
    # A few calls are most of what happens, as everywhere: the call's number is drawn from a long-tailed distribution.
    call = min(int(chance.paretovariate(0.7)), 260)
    name = f"user-{min(int(chance.paretovariate(0.9)), 40)}"
    arn = f"arn:aws:iam::111122223333:user/{name}"
    return {
        **sample,
        "eventID": str(uuid.UUID(int=chance.getrandbits(128))),
        "eventTime": f"2026-01-05T{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}Z",
        "eventSource": f"{_SERVICES[call % len(_SERVICES)]}.amazonaws.com",
        "eventName": f"{_VERBS[call % len(_VERBS)]}{_NOUNS[call // 5 % len(_NOUNS)]}",
        "sourceIPAddress": f"203.0.113.{min(int(chance.paretovariate(0.9)), 255)}",
        "userAgent": f"aws-cli/2.{chance.randrange(30)}.0",
        "userIdentity": {**sample["userIdentity"], "userName": name, "arn": arn},
        "requestParameters": {"name": f"{name}-thing", "maxResults": chance.choice((10, 50, 100))},
        **({"errorCode": chance.choice(("AccessDenied", "ThrottlingException"))} if chance.random() < 0.1 else {}),
    }


def _samples() -> Iterator[Record]:
    yield from _in_folder(SAMPLES)
    for file in SAMPLES.glob("*-signs-in.json"):
        yield json.loads(file.read_bytes())


def _in_folder(folder: Path) -> Iterator[Record]:
    for file in sorted(folder.rglob("*.json.gz")):
        yield from json.loads(gzip.decompress(file.read_bytes()))["Records"]


def _mean(numbers: Iterable[int]) -> float:
    values = list(numbers)
    return sum(values) / len(values)


_SERVICES = ("ec2", "ssm", "iam", "kms", "s3", "sts", "lambda", "logs", "rds", "sns", "sqs", "events", "config")
_VERBS = ("Describe", "Get", "List", "Put", "Delete", "Create", "Update")
_NOUNS = ("Parameters", "Users", "Tables", "Instances", "Keys", "Buckets", "Roles", "Functions", "Alarms", "Topics")
