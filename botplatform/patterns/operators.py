"""What a pattern can ask of one value: each operator tells whether it accepts a value, and says itself in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from math import isfinite
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, Final, Protocol

from botplatform.values import NamedTuple

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

Number = int | float

COMPARISONS: Final[dict[str, Callable[[Number, Number], bool]]] = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
_ADDRESS: Final = r"[0-9]+(?:\.[0-9]+){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*"
_EXACT_INTEGERS: Final = range(-(2**53), 2**53 + 1)


class Operator(Protocol):
    """A condition on one value of a field; `str` of it completes the sentence "wanted ..."."""

    def accepts(self, value: Any) -> bool: ...


class Exactly(NamedTuple):
    """This very string, number, boolean or null; `300` and `3.0e2` are the same number."""

    value: str | Number | bool | None

    def accepts(self, value: Any) -> bool:
        return identity(value) == identity(self.value)

    def __str__(self) -> str:
        return quoted(self.value)


class Text(NamedTuple):
    """Text made of two or more pieces in this order, with anything between them: prefix, suffix and wildcard."""

    pieces: tuple[str, ...]
    words: str

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        first, *middle, last = self.pieces
        position, end = len(first), len(value) - len(last)
        if position > end or not (value.startswith(first) and value.endswith(last)):
            return False
        for piece in middle:
            found = value.find(piece, position, end)
            if found < 0:
                return False
            position = found + len(piece)
        return True

    def __str__(self) -> str:
        return self.words


class AnyCase(NamedTuple):
    """Text in either case: `expression` is matched against the whole of it."""

    expression: re.Pattern[str]
    words: str

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and self.expression.fullmatch(value) is not None

    def __str__(self) -> str:
        return self.words


class Numeric(NamedTuple):
    """A number that stands in all these relations."""

    relations: tuple[tuple[str, Number], ...]

    def accepts(self, value: Any) -> bool:
        return (
            is_number(value)
            and is_comparable(value)
            and all(COMPARISONS[sign](value, bound) for sign, bound in self.relations)
        )

    def __str__(self) -> str:
        return "a number " + " and ".join(f"{sign} {bound}" for sign, bound in self.relations)


class InNetwork(NamedTuple):
    """An IP address in this network."""

    network: Network

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and (address := address_of(value)) is not None and address in self.network

    def __str__(self) -> str:
        return f"an address in {self.network}"


class SameAddress(NamedTuple):
    """This IPv6 address, however it is written."""

    address: Address

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and address_of(value) == self.address

    def __str__(self) -> str:
        return f"the address {self.address}"


class AnythingBut(NamedTuple):
    """A value, of any type, that none of these accept."""

    unwanted: tuple[Operator, ...]

    def accepts(self, value: Any) -> bool:
        return not any(operator.accepts(value) for operator in self.unwanted)

    def __str__(self) -> str:
        return "anything but " + " or ".join(map(str, self.unwanted))


class Present:
    """Any value at all, null and the empty string included."""

    def accepts(self, value: Any) -> bool:  # noqa: ARG002 - being asked is enough
        return True

    def __str__(self) -> str:
        return "any value"


class Absent:
    """No value: the field is not there, or is an object or an empty array."""

    def accepts(self, value: Any) -> bool:  # noqa: ARG002 - there is a value, so it is not absent
        return False

    def __str__(self) -> str:
        return "no value"


def identity(value: Any) -> Hashable:
    """What makes two exact values one: Python has `True == 1`, JSON has not."""
    return ("boolean", value) if isinstance(value, bool) else value


def is_number(value: Any) -> bool:
    """Whether `value` is a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_comparable(number: Number) -> bool:
    """Whether the service can order this number: a double has to hold it exactly (event-ruler's ComparableNumber)."""
    if isinstance(number, float):
        return isfinite(number)
    return number in _EXACT_INTEGERS or _is_a_double(number)


def _is_a_double(number: int) -> bool:
    from decimal import Decimal

    try:
        return Decimal(repr(float(number))) == number
    except OverflowError:
        return False


def address_of(text: str) -> Address | None:
    """The IP address written as `text`, or None."""
    if not re.fullmatch(_ADDRESS, text, re.ASCII):
        return None
    from ipaddress import ip_address

    try:
        return ip_address(text)
    except ValueError:
        return None


def quoted(value: Any) -> str:
    """The value as JSON writes it."""
    return json.dumps(value, ensure_ascii=False, default=str)
