"""What a pattern can ask of one value: each operator tells whether it accepts a value, and says itself in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from enum import Enum
from math import isfinite
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, Final, Protocol

from .values import Value

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


class Exactly(Value):
    """This very string, number, boolean or null; `300` and `3.0e2` are the same number."""

    value: str | Number | bool | None

    def accepts(self, value: Any) -> bool:
        return identity(value) == identity(self.value)

    def __str__(self) -> str:
        return quoted(self.value)


class Text(Value):
    """Text made of two or more pieces in this order, with anything between them: prefix, suffix and wildcard."""

    pieces: tuple[str, ...]
    words: str
    is_wildcard: bool

    @property
    def prefix(self) -> str | None:
        """The text to start with, where that is all there is to it."""
        return self.pieces[0] if self.pieces[1:] == ("",) else None

    @property
    def suffix(self) -> str | None:
        """The text to end with, where that is all there is to it."""
        return self.pieces[1] if self.pieces[:-1] == ("",) else None

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


class Part(Enum):
    """Which part of a text is compared: the words for it, and the expression around what it has to be."""

    WHOLE = "{}", "{}"
    START = "text starting with {}", "{}.*"
    END = "text ending with {}", ".*{}"


class AnyCase(Value):
    """This text, in either case, as one part of the value."""

    text: str
    part: Part

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if self.text.isascii():
            found = self.part_of(value)
            return found.isascii() and found.lower() == self.text.lower()
        _, around = self.part.value
        return re.fullmatch(around.format(_either_case(self.text)), value, re.DOTALL) is not None

    def part_of(self, value: str) -> str:
        """What of `value` is to be compared, if that is to be as long."""
        if self.part is Part.WHOLE:
            return value
        return value[: len(self.text)] if self.part is Part.START else value[max(0, len(value) - len(self.text)) :]

    def __str__(self) -> str:
        return f"{self.part.value[0].format(quoted(self.text))} in any case"


class Numeric(Value):
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


class InNetwork(Value):
    """An IP address in this network."""

    network: Network

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and (address := address_of(value)) is not None and address in self.network

    def __str__(self) -> str:
        return f"an address in {self.network}"


class SameAddress(Value):
    """This IPv6 address, however it is written."""

    address: Address

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and address_of(value) == self.address

    def __str__(self) -> str:
        return f"the address {self.address}"


class AnythingBut(Value):
    """A value, of any type, that none of these accept."""

    unwanted: tuple[Operator, ...]

    def accepts(self, value: Any) -> bool:
        return not any(operator.accepts(value) for operator in self.unwanted)

    def __str__(self) -> str:
        return "anything but " + " or ".join(map(str, self.unwanted))


class Present(Value):
    """Any value at all, null and the empty string included."""

    def accepts(self, value: Any) -> bool:  # noqa: ARG002 - being asked is enough
        return True

    def __str__(self) -> str:
        return "any value"


class Absent(Value):
    """No value: the field is not there, or is an object or an empty array."""

    def accepts(self, value: Any) -> bool:  # noqa: ARG002 - there is a value, so it is not absent
        return False

    def __str__(self) -> str:
        return "no value"


def _either_case(text: str) -> str:
    # Letter by letter, as the service does it: case folding would make "ß" and "ss" the same.
    return "".join(map(_cases, text))


def _cases(letter: str) -> str:
    lower, upper = re.escape(letter.lower()), re.escape(letter.upper())
    # Two ways to match the same letter would make 2^n ways to match n of them, all tried before a text is refused.
    return lower if lower == upper else f"(?:{lower}|{upper})"


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
