"""The envelope: one frozen CloudEvents 1.0 value for whatever happened, wherever it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Never, TypeVar, cast

from botplatform import attributes, codec
from botplatform.errors import Rejected

SPEC_VERSION: Final = "1.0"
JSON: Final = "application/json"
T = TypeVar("T")

UNDECODED: Any = object()
"""In place of data that is there as JSON."""
Extensions = MappingProxyType[str, str | int | bool]
NO_EXTENSIONS: Final[Extensions] = MappingProxyType({})


class _Attributes:
    id: str
    source: str
    type: str
    subject: str | None
    datacontenttype: str | None
    dataschema: str | None
    extensions: Extensions
    _data: Any
    _data_json: bytes | None
    _time: str | None
    _original: Event | None
    _read: tuple[Callable[[Any], Event], Any]
    __slots__ = tuple(__annotations__)


class _Draft(_Attributes):
    """An event while it is made: attributes are set several times faster than round the back of one that refuses."""

    __slots__ = ()


class Event(_Attributes):
    """Something that happened; compares by value and cannot be changed.

    `id` is the same each time the same happening is delivered, `source` names who tells, `type` what kind
    (reverse DNS), `subject` what it is about. `data` is the original record, whole. `extensions` are CloudEvents
    extension attributes (strings, integers, booleans), such as `partitionkey`.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        type: str,
        source: str = "",
        id: str = "",
        subject: str | None = None,
        time: datetime | str | None = None,
        data: Any = UNDECODED,
        data_json: bytes | None = None,
        datacontenttype: str | None = None,
        dataschema: str | None = None,
        extensions: Mapping[str, str | int | bool] | None = None,
    ) -> Event:
        """Build an event of `data` (any JSON value, or bytes), of `data_json` (the same, still encoded), or of both.

        `id` and `source` may be left out of an event given to `ctx.emit`, which names it.
        """
        if data is UNDECODED and data_json is None:
            data = None
        if datacontenttype is None and data is not None and not isinstance(data, bytes):
            datacontenttype = JSON
        when = attributes.rfc3339(time) if isinstance(time, datetime) else time
        kept = MappingProxyType(dict(extensions)) if extensions else NO_EXTENSIONS
        return cls.of_record(id, source, type, subject, when, data, kept, data_json, datacontenttype, dataschema)

    @staticmethod
    def of_record(
        id: str,
        source: str,
        type: str,
        subject: str | None,
        time: str | None,
        data: Any,
        extensions: Extensions = NO_EXTENSIONS,
        json: bytes | None = None,
        datacontenttype: str | None = JSON,
        dataschema: str | None = None,
        original: Event | None = None,
    ) -> Event:
        """An event whose attributes are known to be valid, and its `extensions` not to change.

        `data` may be UNDECODED where there is `json`, or an `original` to have it from.
        """
        draft = _Draft()
        draft.id = id
        draft.source = source
        draft.type = type
        draft.subject = subject
        draft.datacontenttype = datacontenttype
        draft.dataschema = dataschema
        draft.extensions = extensions
        draft._data = data
        draft._data_json = json
        draft._time = time
        draft._original = original
        draft.__class__ = Event  # type: ignore[assignment]
        return draft  # type: ignore[return-value]

    @staticmethod
    def unread(read: Callable[[T], Event], of: T) -> Event:
        """The event that `read(of)` makes as soon as somebody asks for anything in it.

        It may raise Rejected: whoever wants to keep the event or to handle it calls `settle` first.
        """
        draft = _Draft()
        draft._read = read, of
        draft.__class__ = _Unread  # type: ignore[assignment]
        return draft  # type: ignore[return-value]

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"an event cannot be changed: {name}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"an event cannot be changed: {name}")

    @property
    def data(self) -> Any:
        """The original record: a JSON value, or bytes where the content is no JSON; decoded when first asked for."""
        if self._data is UNDECODED:
            object.__setattr__(self, "_data", codec.decode(self.data_json))
        return self._data

    @property
    def is_binary(self) -> bool:
        """Whether `data` is bytes that are no JSON; it need not be decoded to tell."""
        return isinstance(self._data, bytes)

    @property
    def data_json(self) -> bytes:
        """`data` as JSON bytes, exactly as it arrived where it arrived as JSON."""
        if self._data_json is None:
            json = self._original.data_json if self._original else codec.encode(self._data)
            object.__setattr__(self, "_data_json", json)
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

    def settle(self) -> Event:
        """This event, once all of it has been read; raises Rejected where it turns out to be none."""
        return self

    def fresh(self) -> Event:
        """The same event with `data` still undecoded, so that whoever changes their copy changes nobody else's."""
        if self._data is None or isinstance(self._data, bytes):
            return self
        # Many handlers look at nothing but their parameters: it is encoded when they do.
        return self.of_record(
            self.id,
            self.source,
            self.type,
            self.subject,
            self._time,
            UNDECODED,
            self.extensions,
            self._data_json,
            self.datacontenttype,
            self.dataschema,
            original=self,
        )

    def replace(self, **changes: Any) -> Event:
        """A copy with some attributes changed."""
        same: dict[str, Any] = {name: getattr(self, name) for name in attributes.CORE if name != "time"}
        same.update(time=self._time, extensions=self.extensions)
        if "data" not in changes and "data_json" not in changes:
            same.update(data=self._data, data_json=self.data_json if self._data is UNDECODED else self._data_json)
        return Event(**{**same, **changes})

    def to_dict(self) -> dict[str, Any]:
        """The envelope as its JSON form has it; bytes as `data_base64`."""
        fields = self.attributes()
        if isinstance(self._data, bytes):
            fields["data_base64"] = codec.to_base64(self._data)
        elif self.data is not None:
            fields["data"] = self.data
        return fields

    def to_json(self) -> bytes:
        """The event in the CloudEvents JSON format; `data` is copied as it arrived."""
        as_it_arrived = self._data_json is not None or self._original
        if not as_it_arrived or self._data is None or isinstance(self._data, bytes):
            return codec.encode(self.to_dict())
        return codec.encode_with(self.attributes(), "data", self.data_json)

    def attributes(self) -> dict[str, Any]:
        """`to_dict` without the data."""
        fields: dict[str, Any] = {"specversion": SPEC_VERSION, "id": self.id, "source": self.source, "type": self.type}
        if self.subject is not None:
            fields["subject"] = self.subject
        if self._time is not None:
            fields["time"] = self._time
        if self.datacontenttype is not None:
            fields["datacontenttype"] = self.datacontenttype
        if self.dataschema is not None:
            fields["dataschema"] = self.dataschema
        return fields | self.extensions if self.extensions else fields

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
        texts = {name: attributes.text(fields, name) for name in attributes.CORE}
        extensions = {k: value for k, value in fields.items() if k not in attributes.RESERVED and value is not None}
        return cls(**texts, data=attributes.data(fields), extensions=extensions).checked()  # type: ignore[arg-type]

    def checked(self) -> Event:
        """This event, once its attributes are known to be what CloudEvents 1.0 wants; raises Rejected."""
        for name, value in (("id", self.id), ("source", self.source), ("type", self.type)):
            if not value or not isinstance(value, str):
                raise Rejected(f"{name} is missing or empty", name)
        if self._time is not None:
            attributes.check_time(self._time)
        for extension, held in self.extensions.items():
            attributes.check_extension(extension, held)
        return self

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, Event) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.source, self.id))

    def __repr__(self) -> str:
        # Records may hold secrets: a repr ends up in logs, so it names the event and shows nothing of its data.
        subject = f" {self.subject!r}" if self.subject else ""
        return f"<Event {self.type}{subject} id={self.id!r} source={self.source!r}>"


class _Unread(Event):
    """An event that was not read yet, and is a plain one from when it is: looking for what is missing takes time."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name not in _Attributes.__slots__:
            raise AttributeError(f"an event has no attribute {name!r}")
        return getattr(self.settle(), name)

    def settle(self) -> Event:
        read, of = self._read
        whole = read(of)
        for name in _Attributes.__slots__:
            if name != "_read":
                object.__setattr__(self, name, getattr(whole, name))
        object.__setattr__(self, "__class__", Event)  # last: another thread may look at the same time
        return self
