"""One condition of a field, as written: an exact value, or an object that names an operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from .errors import PatternError
from .operators import (
    COMPARISONS,
    Absent,
    AnyCase,
    AnythingBut,
    Exactly,
    InNetwork,
    Number,
    Numeric,
    Operator,
    Part,
    Present,
    SameAddress,
    Text,
    address_of,
    is_comparable,
    is_number,
    quoted,
)


def parse_condition(item: Any, where: str) -> Operator:
    """The operator that `item` of a field's array stands for; raises PatternError at `where` if there is none."""
    if isinstance(item, Mapping):
        name, argument = _single(item, where)
        if name not in _OPERATORS:
            raise PatternError(f'there is no operator "{name}"', where)
        return _OPERATORS[name](argument, f"{where}.{name}")
    if isinstance(item, str):
        address = address_of(item)
        # The service compares addresses by value; only IPv6 has more than one way to write one.
        return SameAddress(address) if address and address.version == 6 else Exactly(item)
    if item is None or isinstance(item, bool) or (is_number(item) and _is_finite(item)):
        return Exactly(item)
    raise PatternError("a value must be a string, number, true, false or null", where)


def _single(node: Mapping[str, Any], where: str) -> tuple[str, Any]:
    if len(node) != 1:
        raise PatternError("an expression needs exactly one operator", where)
    return next(iter(node.items()))


def _is_finite(number: Number) -> bool:
    return isinstance(number, int) or isfinite(number)


def _text(argument: Any, where: str) -> str:
    if not isinstance(argument, str):
        raise PatternError("must be a string", where)
    return argument


def _exactly(argument: Any, where: str) -> Operator:
    return Exactly(_text(argument, where))


def _prefix(argument: Any, where: str) -> Operator:
    if isinstance(argument, Mapping):
        return AnyCase(_ignoring_case(argument, where), Part.START)
    text = _text(argument, where)
    return Text((text, ""), f"text starting with {quoted(text)}", False)


def _suffix(argument: Any, where: str) -> Operator:
    if isinstance(argument, Mapping):
        return AnyCase(_ignoring_case(argument, where), Part.END)
    text = _text(argument, where)
    return Text(("", text), f"text ending with {quoted(text)}", False)


def _ignoring_case(argument: Mapping[str, Any], where: str) -> str:
    name, text = _single(argument, where)
    if name != "equals-ignore-case":
        raise PatternError(f'only "equals-ignore-case" can stand here, not "{name}"', where)
    return _text(text, f"{where}.{name}")


def _equals_ignore_case(argument: Any, where: str) -> Operator:
    return AnyCase(_text(argument, where), Part.WHOLE)


def _wildcard(argument: Any, where: str) -> Operator:
    text = _text(argument, where)
    pieces = _wildcard_pieces(text, where)
    return Text(tuple(pieces), f"text like {quoted(text)}", True) if len(pieces) > 1 else Exactly(pieces[0])


def _wildcard_pieces(text: str, where: str) -> list[str]:
    """The literal text between the asterisks, with `\\*` and `\\\\` unescaped."""
    pieces = [""]
    characters = iter(enumerate(text))
    for position, character in characters:
        if character == "*":
            if text.startswith("**", position):
                raise PatternError(f"consecutive wildcard characters at position {position}", where)
            pieces.append("")
        elif character == "\\":
            _, escaped = next(characters, (position, ""))
            if escaped not in ("*", "\\"):
                raise PatternError(f"invalid escape character at position {position}", where)
            pieces[-1] += escaped
        else:
            pieces[-1] += character
    return pieces


def _anything_but(argument: Any, where: str) -> Operator:
    if not isinstance(argument, Mapping):
        return AnythingBut(tuple(Exactly(value) for value in _strings_or_numbers(argument, where)))
    name, texts = _single(argument, where)
    if name not in _NEGATABLE:
        raise PatternError(f'"anything-but" cannot be combined with "{name}"', where)
    return AnythingBut(tuple(_unwanted(name, text, place) for text, place in _listed(texts, f"{where}.{name}")))


def _unwanted(name: str, argument: Any, where: str) -> Operator:
    if not _text(argument, where) and name in ("prefix", "suffix"):
        raise PatternError(f"an empty {name} leaves nothing to match", where)
    return _OPERATORS[name](argument, where)


def _strings_or_numbers(argument: Any, where: str) -> list[str | Number]:
    values = _listed(argument, where)
    for value, place in values:
        if not isinstance(value, str) and not (is_number(value) and is_comparable(value)):
            raise PatternError("must be a string, a number the service can compare, or an array of them", place)
    if len({isinstance(value, str) for value, _ in values}) > 1:
        raise PatternError("strings and numbers cannot be mixed", where)
    return [value for value, _ in values]


def _listed(argument: Any, where: str) -> list[tuple[Any, str]]:
    """One value, or those of an array, each with its place."""
    if not isinstance(argument, list | tuple):
        return [(argument, where)]
    if not argument:
        raise PatternError("empty arrays are not allowed", where)
    return [(item, f"{where}[{index}]") for index, item in enumerate(argument)]


def _numeric(argument: Any, where: str) -> Operator:
    if not isinstance(argument, list | tuple):
        raise PatternError("must be an array", where)
    if len(argument) not in (2, 4):
        raise PatternError("must be a comparison and a number, once, or twice for a range", where)
    relations = [_relation(argument, index, where) for index in range(0, len(argument), 2)]
    if len(relations) == 2:
        _check_range(relations, where)
    return Numeric(tuple(relations))


def _relation(argument: list[Any] | tuple[Any, ...], index: int, where: str) -> tuple[str, Number]:
    sign, bound = argument[index : index + 2]
    if not isinstance(sign, str) or sign not in COMPARISONS:
        raise PatternError(f"must be one of {' '.join(COMPARISONS)}", f"{where}[{index}]")
    if not (is_number(bound) and is_comparable(bound)):
        raise PatternError(f"{sign} needs a number the service can compare", f"{where}[{index + 1}]")
    return sign, bound


def _check_range(relations: list[tuple[str, Number]], where: str) -> None:
    (below, bottom), (above, top) = relations
    if below not in (">", ">=") or above not in ("<", "<="):
        raise PatternError("a range goes from > or >= to < or <=", where)
    if bottom >= top:
        raise PatternError("the bottom of a range must be less than its top", where)


def _exists(argument: Any, where: str) -> Operator:
    if not isinstance(argument, bool):
        raise PatternError("must be true or false", where)
    return Present() if argument else Absent()


def _cidr(argument: Any, where: str) -> Operator:
    parts = _text(argument, where).split("/")
    if len(parts) != 2:
        raise PatternError("must be an address, one slash and the mask bits", where)
    address, bits = address_of(parts[0]), parts[1]
    if address is None:
        raise PatternError(f"{quoted(parts[0])} is no IP address", where)
    # The service refuses a mask of the full width: that would be a single address.
    if not (bits.isascii() and bits.isdigit() and int(bits) < address.max_prefixlen):
        raise PatternError(f"the mask bits must be an integer from 0 to {address.max_prefixlen - 1}", where)
    from ipaddress import ip_network

    return InNetwork(ip_network(f"{address}/{int(bits)}", strict=False))


_OPERATORS: Final[dict[str, Callable[[Any, str], Operator]]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "exactly": _exactly,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
_NEGATABLE: Final = ("equals-ignore-case", "prefix", "suffix", "wildcard")

# Kept for operators to come as well: event-ruler, Constants.RESERVED_FIELD_NAMES_IN_OR_RELATIONSHIP.
RESERVED_NAMES: Final = (
    frozenset(_OPERATORS)
    | frozenset(COMPARISONS)
    | {
        "regex",
        "not-wildcard",
        "not-equals-ignore-case",
        "date-after",
        "date-on-or-after",
        "date-before",
        "date-on-or-before",
        "in-date-range",
        "ip-address-in-range",
        "ip-address-not-in-range",
    }
)
