"""What of an event patterns look at, as one value to look up: events that agree in it match the same.

Most events are like others: the same call, by the same role, with the same client. To know that, and what matched the
last of them, takes one look-up, however many fields the patterns ask for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from sys import intern
from typing import Any, Final, NamedTuple

from .fields import inner_paths
from .match import Pattern
from .operators import AnythingBut, Exactly, Numeric, Operator, Text, is_number
from .plain import Keys, dotted_names
from .pruned import MOST_NAMES

SCALAR: Final = str | int | float | bool | None
TEXT: Final = str | None
TEXT_OR_BOOLEAN: Final = str | bool | None
TEXT_OR_NUMBER: Final = str | int | float | None

Kinds = Mapping[str, Any]
"""For each dotted path the type of what a fingerprint holds of it: one of those above."""


def kinds(patterns: Iterable[Pattern], beginnings: Mapping[str, str]) -> dict[str, Any]:
    """What a fingerprint can hold of the fields that these patterns look at.

    For Python, true is 1. Where a condition tells them apart only one of the two is taken, or neither. `beginnings` are
    what some fields begin with, texts in every event: one is left out if no condition tells such texts apart.
    """
    told: defaultdict[str, set[Any]] = defaultdict(set)
    for test in (test for pattern in patterns for alternative in pattern.alternatives for test in alternative.tests):
        beginning = beginnings.get(test.path)
        if beginning is None or any(_tells_apart(operator, beginning) for operator in test.operators):
            told[test.path].update(map(_told, _flat(test.operators)))
    for several in told.values():
        several.discard(SCALAR)
    return {path: TEXT if len(several) > 1 else next(iter(several), SCALAR) for path, several in told.items()}


class Wrapping(NamedTuple):
    """What stands round an event: it is the value of `name`, `beside` it are texts, and none of what is `refused`."""

    name: str
    beside: Iterable[str] = ()
    refused: Iterable[str] = ()


def decoder(kinds: Kinds, wrapping: Wrapping | None = None) -> Callable[[bytes], Hashable] | None:
    """A function from UTF-8 JSON, given as bytes or msgspec.Raw, to its fingerprint; None where there can be none.

    It raises msgspec.DecodeError for what has none: where a field is of another kind, where there is an array or an
    object in place of a scalar or the other way round, where a key with dots leads to one of the paths, and where the
    event is not wrapped as it should be. Needs msgspec.
    """
    from msgspec.json import Decoder

    inner = inner_paths(kinds)
    names: defaultdict[Keys, dict[str, Any]] = defaultdict(dict)
    for path in [*kinds, *inner]:
        *keys, name = path.split(".")
        names[tuple(keys)][name] = kinds.get(path)
    for place, never in dotted_names(kinds).items():
        names[place].update(dict.fromkeys(never, _nothing()))
    if not inner.isdisjoint(kinds) or any(len(several) > MOST_NAMES for several in names.values()):
        return None
    if not all(map(str.isascii, (name for several in names.values() for name in several))):
        return None  # msgspec knows no other names here
    event = _struct((), names)
    return Decoder(_wrapped(event, wrapping) if wrapping else event).decode


def compact(fingerprint: Any) -> Any:
    """An equal fingerprint that shares its texts with others: to be remembered, and compared with, it is smaller."""
    from msgspec import Struct

    if isinstance(fingerprint, Struct):
        values = (getattr(fingerprint, name) for name in fingerprint.__struct_fields__)
        return type(fingerprint)(**dict(zip(fingerprint.__struct_fields__, map(compact, values), strict=True)))
    return intern(fingerprint) if type(fingerprint) is str else fingerprint


def _tells_apart(operator: Operator, beginning: str) -> bool:
    """Whether it may accept one text that begins so, and another not."""
    if isinstance(operator, Exactly):
        return isinstance(operator.value, str) and operator.value.startswith(beginning)
    prefix = operator.prefix if isinstance(operator, Text) else None
    return prefix is None or (prefix != beginning and prefix.startswith(beginning))


def _told(operator: Operator) -> Any:
    """What to take where this condition may see either true or 1."""
    if isinstance(operator, Numeric) or (isinstance(operator, Exactly) and is_number(operator.value)):
        return TEXT_OR_NUMBER
    return TEXT_OR_BOOLEAN if isinstance(operator, Exactly) and isinstance(operator.value, bool) else SCALAR


def _flat(operators: Iterable[Operator]) -> Iterator[Operator]:
    for operator in operators:
        if isinstance(operator, AnythingBut):
            yield from _flat(operator.unwanted)
        else:
            yield operator


def _nothing() -> Any:
    """A type that no value is of."""
    from typing import Annotated

    from msgspec import Meta

    return Annotated[int, Meta(gt=0, lt=0)]


def _struct(keys: Keys, names: Mapping[Keys, Mapping[str, Any]]) -> Any:
    """The type of the fingerprint of the object that these keys lead to."""
    kinds = names[keys].items()
    return _frozen({name: kind or _struct((*keys, name), names) | None for name, kind in kinds})


def _wrapped(event: Any, wrapping: Wrapping) -> Any:
    """The same of an event in its wrapping, whose texts are part of it."""
    required = {wrapping.name: event, **dict.fromkeys(wrapping.beside, str)}
    return _frozen({**required, **dict.fromkeys(wrapping.refused, _nothing())}, required)


def _frozen(types: Mapping[str, Any], required: Iterable[str] = ()) -> Any:
    """A type to look up by, with a field for each name; one that is not required may be missing."""
    from msgspec import UNSET, UnsetType, defstruct

    renamed = {f"field_{number}": name for number, name in enumerate(types)}
    fields = [
        (field, types[name]) if name in required else (field, types[name] | UnsetType, UNSET)
        for field, name in renamed.items()
    ]
    return defstruct("fingerprint", fields, frozen=True, gc=False, kw_only=True, rename=renamed)
