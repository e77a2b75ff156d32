"""One CloudTrail record as an event: what of it the envelope is made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from botplatform.attributes import check_time, is_usual_time
from botplatform.errors import Rejected
from botplatform.event import Event

SOURCE_PREFIX: Final = "urn:aws:cloudtrail:"
TYPE_PREFIX: Final = "com.amazonaws."
NAMES: Final = ("eventID", "eventSource", "eventName", "eventTime")
# The dotted paths into a record that attributes of its event are made of.
OF_SOURCE: Final = ("awsRegion", "recipientAccountId", "userIdentity.accountId")
OF_TYPE: Final = ("eventSource", "eventName")
OF_SUBJECT: Final = ("userIdentity.arn",)
_WHO = "userIdentity"
_TRIGGER = "aws:"
_LONGEST_SERVICE = 64
# What nearly every record has; not to ask for one after the other is what makes most of them cheap.
_usual = itemgetter(*NAMES, "awsRegion", "recipientAccountId", _WHO)


def to_event(record: Any, where: str) -> Event | Rejected:
    """The event of a record, or why it is none; `where` is where that stands."""
    try:
        id, service, name, time, region, account, who = _usual(record)
        arn = who.get("arn")  # those of AWS itself have none
        if (
            type(id) is type(region) is type(account) is str  # the others raise TypeError below
            and (arn is None or (arn and type(arn) is str))
            and (id and name and account)
            and is_usual_time(time)
        ):
            source = f"{SOURCE_PREFIX}{region}:{account}"
            return Event.of_record(id, source, _types_of(service) + name, arn, time, record)
    except (LookupError, TypeError, AttributeError, ValueError):
        pass
    return _of_unusual(record, where)


def _of_unusual(record: Any, where: str) -> Event | Rejected:
    """The same, looking closely: at whatever lacks something that nearly every record has."""
    if type(record) is not dict:
        return Rejected(f"a CloudTrail record is an object, this is {type(record).__name__}", where)
    get = record.get
    id, service, name, time = get("eventID"), get("eventSource"), get("eventName"), get("eventTime")
    if not (id and service and name and type(id) is type(service) is type(name) is str) or service.startswith(_TRIGGER):
        return _no_record(record, where)
    try:
        time = time if time and type(time) is str and check_time(time) else None
    except Rejected as rejected:
        return Rejected(rejected.reason, f"{where}.eventTime")
    return Event.of_record(id, source_of(record), type_of(record), subject_of(record), time, record)


@lru_cache(1024)
def _types_of(service: str) -> str:
    """What the types of events of a service's calls begin with; raises ValueError for what is no usual service."""
    if not service or ":" in service or len(service) > _LONGEST_SERVICE:
        raise ValueError(service)  # and is not remembered
    return _beginning(service)


def _beginning(service: str) -> str:
    return f"{TYPE_PREFIX}{service.removesuffix('.amazonaws.com')}."


def source_of(record: dict[str, Any]) -> str:
    """The source of the event of a record: where, and in whose account it happened."""
    region, account = record.get("awsRegion"), record.get("recipientAccountId")
    if not account or type(account) is not str:
        who = record.get(_WHO)
        account = (_text(who.get("accountId")) if type(who) is dict else None) or ""
    return f"{SOURCE_PREFIX}{region if type(region) is str else ''}:{account}"


def type_of(record: dict[str, Any]) -> str:
    """The type of the event of a record: which call of which service."""
    return f"{_beginning(str(record.get('eventSource')))}{record.get('eventName')}"


def subject_of(record: dict[str, Any]) -> str | None:
    """The subject of the event of a record: who did it."""
    who = record.get(_WHO)
    return _text(who.get("arn")) if type(who) is dict else None


def _no_record(record: Mapping[str, Any], where: str) -> Rejected:
    """What is wrong with something that should be a CloudTrail record."""
    if is_of_a_trigger(record):
        return Rejected(f"a record of {record['eventSource']}, not of CloudTrail", where)
    missing = [name for name in NAMES[:3] if not _text(record.get(name))]
    return Rejected(f"no CloudTrail record: {', '.join(missing)} missing", where)


def _text(value: Any) -> str | None:
    """A text that is there and not empty."""
    return value if value and isinstance(value, str) else None


def is_of_a_trigger(record: Mapping[str, Any]) -> bool:
    """Whether it is one of the "Records" of S3, SQS, Kinesis or DynamoDB, which Lambda names `aws:s3` and so on."""
    return (_text(record.get("eventSource")) or "").startswith(_TRIGGER)
