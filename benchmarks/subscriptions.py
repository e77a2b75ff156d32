"""Many event patterns over CloudTrail records, in the mixes the benchmarks compare; the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from benchmarks.cloudtrail_events import Record, source_of

COUNTS = (10, 100, 1_000, 10_000)
BUSIEST = 40
UNMATCHED = 0.95
SEED = 5

Conditions = Mapping[tuple[str, ...], Any]
"""What is wanted of each field, by its path in a record: the array of an event pattern."""


class Wanted(NamedTuple):
    """What one subscription wants of a record; `service` is whose events it is about, as EventBridge calls it."""

    service: str | None
    conditions: Conditions

    def of_record(self) -> dict[str, Any]:
        """The pattern over a bare record."""
        about: Conditions = {} if self.service is None else {("eventSource",): [f"{self.service[4:]}.amazonaws.com"]}
        return _nested({**about, **self.conditions})

    def of_event(self) -> dict[str, Any]:
        """The pattern over the EventBridge event that brings the record."""
        about = {} if self.service is None else {"source": [self.service]}
        return {**about, **({"detail": _nested(self.conditions)} if self.conditions else {})}


def _nested(conditions: Conditions) -> dict[str, Any]:
    pattern: dict[str, Any] = {}
    for path, wanted in conditions.items():
        level = pattern
        for name in path[:-1]:
            level = level.setdefault(name, {})
        level[path[-1]] = wanted
    return pattern


class Mix:
    """Draws what subscriptions could want of these records."""

    def __init__(self, records: Sequence[Record], seed: int = SEED) -> None:
        self._chance = random.Random(seed)
        self._records = records
        self._failed = [record for record in records if "errorCode" in record] or records
        self._values = {path: values for path in FIELDS if (values := _distinct(records, path))}

    def keyed(self, pairs: Sequence[tuple[str, str]]) -> Wanted:
        """A service and an API call out of `pairs`, and up to two further conditions."""
        service, call = self._chance.choice(pairs)
        return Wanted(service, {("eventName",): [call], **self._further(self._chance.randint(0, 2))})

    def failure(self) -> Wanted:
        """A service and an error code that it answered with."""
        record = self._chance.choice(self._failed)
        return Wanted(source_of(record), {("errorCode",): [record.get("errorCode", "AccessDenied")]})

    def neither(self) -> Wanted:
        """No service at all, but one field of those that tell records apart, and another condition."""
        path = self._chance.choice([path for path in TELLING if path in self._values])
        text = self._chance.choice(self._values[path])
        return Wanted(None, {**self._further(1), path: [{"prefix": text}]})

    def _further(self, count: int) -> dict[tuple[str, ...], Any]:
        paths = self._chance.sample(list(self._values), count)
        return {path: [self._condition(path, self._chance.choice(self._values[path]))] for path in paths}

    def _condition(self, path: tuple[str, ...], value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self._chance.choice((value, {"numeric": [">=", value]}, {"numeric": [">", -1, "<=", value]}))
        if path == ADDRESS and value[-1].isdigit():
            return self._chance.choice((value, {"cidr": f"{value.rpartition('.')[0]}.0/24"}))
        return self._chance.choice(_TEXT_CONDITIONS)(value)


def keyed(records: Sequence[Record]) -> Iterator[Wanted]:
    """Source and event name, with none to two further conditions: any call that the records have."""
    mix, pairs = Mix(records), list(_pairs(records))
    while True:
        yield mix.keyed(pairs)


def mixed(records: Sequence[Record]) -> Iterator[Wanted]:
    """80 % such, 15 % of source and error code, 5 % of neither source nor event name."""
    mix, pairs, chance = Mix(records), list(_pairs(records)), random.Random(SEED)
    while True:
        kind = chance.random()
        yield mix.keyed(pairs) if kind < 0.8 else mix.failure() if kind < 0.95 else mix.neither()


def busiest(records: Sequence[Record]) -> Iterator[Wanted]:
    """All on the 40 calls that happen most."""
    mix, pairs = Mix(records), list(_pairs(records))[:BUSIEST]
    while True:
        yield mix.keyed(pairs)


def seldom(records: Sequence[Record]) -> Iterator[Wanted]:
    """All on calls that happen so seldom that 95 % of the records are of none of them."""
    mix, counts = Mix(records), _pairs(records)
    left, pairs = len(records) * (1 - UNMATCHED), []
    for pair, count in reversed(counts.items()):
        left -= count
        if left < 0:
            break
        pairs.append(pair)
    while True:
        yield mix.keyed(pairs)


def drawn(mix: Callable[[Sequence[Record]], Iterator[Wanted]], records: Sequence[Record], count: int) -> list[Wanted]:
    """The first so many of a mix."""
    return list(islice(mix(records), count))


def value_at(record: Any, path: Sequence[str]) -> Any:
    """The value at a path into nested objects, None where there is none."""
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _pairs(records: Sequence[Record]) -> dict[tuple[str, str], int]:
    """How often each service was asked for each call, the most frequent first."""
    counts = Counter((source_of(record), record["eventName"]) for record in records)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _distinct(records: Sequence[Record], path: Sequence[str]) -> list[Any]:
    found = (value_at(record, path) for record in records)
    return list(dict.fromkeys(value for value in found if isinstance(value, str | int) and value != ""))


def _wildcard(text: str) -> dict[str, str]:
    first, last = (part.replace("*", "").replace("\\", "") for part in (text[:8], text[8:][-8:]))
    return {"wildcard": f"{first}*{last}"}


ADDRESS = ("sourceIPAddress",)
# Fields with many different values: a condition on one of them concerns few records.
TELLING = (
    ("userAgent",),
    ("requestParameters", "name"),
    ("requestParameters", "roleName"),
    ("requestParameters", "bucketName"),
    ("userIdentity", "accessKeyId"),
)
FIELDS = (
    *TELLING,
    ADDRESS,
    ("awsRegion",),
    ("errorCode",),
    ("eventType",),
    ("readOnly",),
    ("userIdentity", "type"),
    ("userIdentity", "arn"),
    ("userIdentity", "userName"),
    ("tlsDetails", "tlsVersion"),
    ("requestParameters", "maxResults"),
    ("additionalEventData", "bytesTransferredOut"),
)
_TEXT_CONDITIONS: Sequence[Callable[[str], Any]] = (
    lambda text: text,
    lambda text: text,
    lambda text: {"prefix": text[: len(text) // 2 + 1]},
    lambda text: {"suffix": text[len(text) // 2 :]},
    lambda text: {"anything-but": [text]},
    lambda text: {"anything-but": {"prefix": text[:4]}},
    lambda _: {"exists": True},
    lambda _: {"exists": False},
    lambda text: {"equals-ignore-case": text.upper()},
    _wildcard,
)
