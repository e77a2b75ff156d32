"""Event patterns as one would write them by hand: each a Python function of its own, asked one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

MISSING = object()
# What a condition asks of a field's value `v`; `{0}` is the operator's argument.
_CONDITIONS = {
    "equals-ignore-case": "isinstance(v, str) and v.lower() == {0!r}.lower()",
    "prefix": "isinstance(v, str) and v.startswith({0!r})",
    "suffix": "isinstance(v, str) and v.endswith({0!r})",
    "wildcard": "isinstance(v, str) and is_like(v, {0!r})",
    "cidr": "isinstance(v, str) and is_inside(v, {0!r})",
}


def predicate(pattern: Mapping[str, Any]) -> Callable[[Any], bool]:
    """The function that says whether a decoded event matches; for fields outside arrays, which is all we measure."""
    tests = " and ".join(_tests(pattern, "event"))
    function: Callable[[Any], bool] = eval(f"lambda event: {tests}", _NAMES)
    return function


def _tests(pattern: Mapping[str, Any], place: str) -> Iterator[str]:
    for name, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            yield from _tests(wanted, f"({place}.get({name!r}) or NOTHING)")
        elif all(isinstance(item, str) for item in wanted):
            yield f"{place}.get({name!r}) in {tuple(wanted)!r}"
        else:
            conditions = " or ".join(f"({_condition(item)})" for item in wanted)
            # What is assigned is itself: it gives the value a name, and is always true.
            yield f"((v := {place}.get({name!r}, MISSING)) is v and ({conditions}))"


def _condition(item: Any) -> str:
    if not isinstance(item, Mapping):
        return f"v == {item!r}"
    ((name, argument),) = item.items()
    if name == "exists":
        return f"(v is not MISSING) is {argument}"
    if name == "anything-but":
        unwanted = " or ".join(map(_condition, argument if isinstance(argument, list) else [argument]))
        return f"v is not MISSING and not ({unwanted})"
    if name == "numeric":
        signs = zip(argument[::2], argument[1::2], strict=True)
        return " and ".join(["type(v) in (int, float)", *(f"v {sign} {bound}" for sign, bound in signs)])
    return _CONDITIONS[name].format(argument)


def _is_like(value: str, wildcard: str) -> bool:
    return _expression(wildcard).fullmatch(value) is not None


@cache
def _expression(wildcard: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, wildcard.split("*"))), re.DOTALL)


def _is_inside(value: str, network: str) -> bool:
    try:
        return ip_address(value) in _network(network)
    except ValueError:
        return False


_network = cache(ip_network)
_NAMES: dict[str, Any] = {"MISSING": MISSING, "NOTHING": {}, "is_like": _is_like, "is_inside": _is_inside}
