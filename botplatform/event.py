"""The envelope: one frozen CloudEvents 1.0 value for whatever happened, wherever it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Never, cast

from botplatform import codec
from botplatform.errors import Rejected

SPEC_VERSION: Final = "1.0"
JSON: Final = "application/json"

_CORE = ("id", "source", "type", "subject", "time", "datacontenttype", "dataschema")
_RESERVED = {*_CORE, "specversion", "data", "data_base64"}
# CloudEvents 1.0, "Naming conventions": lower-case letters and digits; it recommends at most 20 of them.
_EXTENSION_NAME = r"[a-z0-9]+"
# CloudEvents 1.0, "Type System": an Integer is a signed 32-bit number.
_INTEGERS = range(-(2**31), 2**31)
# RFC 3339, section 5.6; datetime.fromisoformat reads more than that (week dates, offsets without minutes).
_RFC3339 = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
_UNDECODED: Any = object()


class Event:
    """Something that happened; compares by value and cannot be changed.

    `id` is the same each time the same happening is delivered, `source` names who tells, `type` what kind
    (reverse DNS), `subject` what it is about. `data` is the original record, whole. `extensions` are CloudEvents
    extension attributes (strings, integers, booleans), such as `partitionkey`.
    """

    __slots__ = (
        "_data",
        "_data_json",
        "_time",
        "datacontenttype",
        "dataschema",
        "extensions",
        "id",
        "source",
        "subject",
        "type",
    )

    id: str
    source: str
    type: str
    subject: str | None
    datacontenttype: str | None
    dataschema: str | None
    extensions: Mapping[str, str | int | bool]
    _data: Any
    _data_json: bytes | None
    _time: str | None

    def __init__(
        self,
        *,
        type: str,
        source: str = "",
        id: str = "",
        subject: str | None = None,
        time: datetime | str | None = None,
        data: Any = _UNDECODED,
        data_json: bytes | None = None,
        datacontenttype: str | None = None,
        dataschema: str | None = None,
        extensions: Mapping[str, str | int | bool] | None = None,
    ) -> None:
        """Build an event of `data` (any JSON value, or bytes) or of `data_json` (the same, still encoded).

        `id` and `source` may be left out of an event given to `ctx.emit`, which names it.
        """
        put = object.__setattr__
        put(self, "type", type)
        put(self, "source", source)
        put(self, "id", id)
        put(self, "subject", subject)
        put(self, "_time", _rfc3339(time) if isinstance(time, datetime) else time)
        if data is _UNDECODED and data_json is None:
            data = None
        put(self, "_data", data)
        put(self, "_data_json", data_json)
        if datacontenttype is None and data is not None and not isinstance(data, bytes):
            datacontenttype = JSON
        put(self, "datacontenttype", datacontenttype)
        put(self, "dataschema", dataschema)
        put(self, "extensions", MappingProxyType(dict(extensions)) if extensions else MappingProxyType({}))

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"an event cannot be changed: {name}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"an event cannot be changed: {name}")

    @property
    def data(self) -> Any:
        """The original record: a JSON value, or bytes where the content is no JSON; decoded when first asked for."""
        if self._data is _UNDECODED:
            object.__setattr__(self, "_data", codec.decode(self._data_json or b""))
        return self._data

    @property
    def data_json(self) -> bytes:
        """`data` as JSON bytes, exactly as it arrived where it arrived as JSON."""
        if self._data_json is None:
            object.__setattr__(self, "_data_json", codec.encode(self._data))
        return cast(bytes, self._data_json)

    @property
    def time(self) -> datetime | None:
        """When it happened (aware), where the source says so."""
        return None if self._time is None else datetime.fromisoformat(self._time.upper())

    @property
    def key(self) -> str | None:
        """Events of one source with the same key are handled in order: the partition key, else the subject."""
        key = self.extensions.get("partitionkey")
        return self.subject if key is None else str(key)

    def fresh(self) -> Event:
        """The same event with `data` still undecoded, so that whoever changes their copy changes nobody else's."""
        return self if self._data is None or isinstance(self._data, bytes) else self.replace(data_json=self.data_json)

    def replace(self, **changes: Any) -> Event:
        """A copy with some attributes changed."""
        same: dict[str, Any] = {name: getattr(self, name) for name in _CORE if name != "time"}
        same.update(time=self._time, extensions=self.extensions)
        if "data" not in changes and "data_json" not in changes:
            same.update(data=self._data, data_json=self._data_json)
        return Event(**{**same, **changes})

    def to_dict(self) -> dict[str, Any]:
        """The envelope as its JSON form has it; bytes as `data_base64`."""
        fields = self._attributes()
        if isinstance(self._data, bytes):
            fields["data_base64"] = codec.to_base64(self._data)
        elif self.data is not None:
            fields["data"] = self.data
        return fields

    def to_json(self) -> bytes:
        """The event in the CloudEvents JSON format; `data` is copied as it arrived."""
        if self._data is None or isinstance(self._data, bytes):
            return codec.encode(self.to_dict())
        return codec.encode_with(self._attributes(), "data", self.data_json)

    def _attributes(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"specversion": SPEC_VERSION, "id": self.id, "source": self.source, "type": self.type}
        optional = (
            ("subject", self.subject),
            ("time", self._time),
            ("datacontenttype", self.datacontenttype),
            ("dataschema", self.dataschema),
        )
        fields.update((name, value) for name, value in optional if value is not None)
        fields.update(self.extensions)
        return fields

    @classmethod
    def from_json(cls, text: bytes | str) -> Event:
        """Read one event in the CloudEvents JSON format; raises Rejected."""
        return cls.from_dict(codec.decode(text))

    @classmethod
    def from_dict(cls, fields: Any) -> Event:
        """Read the decoded JSON form of an event; raises Rejected naming the attribute that is wrong."""
        if not isinstance(fields, dict):
            raise Rejected("a CloudEvent is a JSON object")
        if fields.get("specversion") != SPEC_VERSION:
            raise Rejected(f"specversion is {fields.get('specversion')!r}, wanted {SPEC_VERSION!r}", "specversion")
        attributes = {name: _text(fields, name, required=name in ("id", "source", "type")) for name in _CORE}
        extensions = {name: value for name, value in fields.items() if name not in _RESERVED and value is not None}
        return cls(**attributes, data=_data(fields), extensions=extensions).checked()  # type: ignore[arg-type]

    def checked(self) -> Event:
        """This event, once its attributes are known to be what CloudEvents 1.0 wants; raises Rejected."""
        for name in ("id", "source", "type"):
            if not getattr(self, name) or not isinstance(getattr(self, name), str):
                raise Rejected(f"{name} is missing or empty", name)
        if self._time is not None:
            _check_time(self._time)
        for name, value in self.extensions.items():
            _check_extension(name, value)
        return self

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, Event) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.source, self.id))

    def __repr__(self) -> str:
        # Records may hold secrets: a repr ends up in logs, so it names the event and shows nothing of its data.
        subject = f" {self.subject!r}" if self.subject else ""
        return f"<Event {self.type}{subject} id={self.id!r} source={self.source!r}>"


def _rfc3339(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError("an event's time needs a time zone: datetime.now(UTC)")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _check_time(text: str) -> None:
    try:
        if not re.fullmatch(_RFC3339, text, re.ASCII):
            raise ValueError(text)
        datetime.fromisoformat(text.upper())
    except ValueError:
        raise Rejected(f"time {text!r} is no RFC 3339 timestamp with a time zone", "time") from None


def _text(fields: dict[str, Any], name: str, required: bool) -> str | None:
    value = fields.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value:
        raise Rejected(f"{name} is missing or no text", name)
    return value


def _check_extension(name: str, value: Any) -> None:
    if not re.fullmatch(_EXTENSION_NAME, name) or name in _RESERVED:
        raise Rejected(f"extension {name!r} wants a name of its own, of lower-case letters and digits", name)
    if not isinstance(value, str | int | bool):
        raise Rejected(f"extension {name!r} is {type(value).__name__}, wanted text, an integer or a boolean", name)
    if isinstance(value, int) and value not in _INTEGERS:
        raise Rejected(f"extension {name!r} is {value}, wanted an integer of 32 bits", name)


def _data(fields: dict[str, Any]) -> Any:
    if fields.get("data_base64") is None:
        return fields.get("data")
    if "data" in fields:
        raise Rejected("an event has data or data_base64, not both", "data_base64")
    return codec.from_base64(fields["data_base64"], "data_base64")
