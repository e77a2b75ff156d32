"""What CloudEvents 1.0 wants of an event's attributes, and what it says when they are not so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from botplatform import codec
from botplatform.errors import Rejected

REQUIRED: Final = ("id", "source", "type")
CORE: Final = (*REQUIRED, "subject", "time", "datacontenttype", "dataschema")
RESERVED: Final = {*CORE, "specversion", "data", "data_base64"}
# CloudEvents 1.0, "Type System": an Integer is a signed 32-bit number.
_INTEGERS = range(-(2**31), 2**31)
# RFC 3339, section 5.6; datetime.fromisoformat reads more than that (week dates, offsets without minutes).
_RFC3339 = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
_USUAL_LENGTH: Final = len("2026-01-05T12:00:00Z")


def check_time(text: str) -> bool:
    """True for an RFC 3339 timestamp, else Rejected is raised."""
    try:
        return (len(text) == _USUAL_LENGTH and is_usual_time(text)) or _is_any(text)
    except ValueError:
        raise Rejected(f"time {text!r} is no RFC 3339 timestamp with a time zone", "time") from None


@lru_cache(maxsize=1024)
def is_usual_time(text: str) -> bool:
    """Whether it is a timestamp written as 2026-01-05T12:00:00Z, as most are; raises ValueError for many others.

    What happens in one second often comes together, so the last ones are remembered.
    """
    if len(text) != _USUAL_LENGTH:
        raise ValueError(text)  # and is not remembered
    return text[4::3] == "--T::Z" and bool(datetime.fromisoformat(text))


def _is_any(text: str) -> bool:
    if not re.fullmatch(_RFC3339, text, re.ASCII):
        raise ValueError(text)
    return bool(datetime.fromisoformat(text.upper()))


def text(fields: Mapping[str, Any], name: str) -> str | None:
    """The text in an event's JSON form, None for an attribute that may be left out; raises Rejected for no text."""
    value = fields.get(name)
    if value is None and name not in REQUIRED:
        return None
    if not isinstance(value, str) or not value:
        raise Rejected(f"{name} is missing or no text", name)
    return value


def check_extension(name: str, value: Any) -> None:
    """Raise Rejected for an extension attribute that an event cannot have."""
    # CloudEvents 1.0, "Naming conventions": lower-case letters and digits; it recommends at most 20 of them.
    if not (name.isascii() and name.isalnum() and name == name.lower()) or name in RESERVED:
        raise Rejected(f"extension {name!r} wants a name of its own, of lower-case letters and digits", name)
    if not isinstance(value, str | int | bool):
        raise Rejected(f"extension {name!r} is {type(value).__name__}, wanted text, an integer or a boolean", name)
    if isinstance(value, int) and value not in _INTEGERS:
        raise Rejected(f"extension {name!r} is {value}, wanted an integer of 32 bits", name)


def data(fields: Mapping[str, Any]) -> Any:
    """The data in an event's JSON form: a JSON value, or bytes; raises Rejected."""
    if fields.get("data_base64") is None:
        return fields.get("data")
    if "data" in fields:
        raise Rejected("an event has data or data_base64, not both", "data_base64")
    return codec.from_base64(fields["data_base64"], "data_base64")


def rfc3339(time: datetime) -> str:
    """An aware time as text; raises ValueError for one without a time zone."""
    if time.tzinfo is None:
        raise ValueError("an event's time needs a time zone: datetime.now(UTC)")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
