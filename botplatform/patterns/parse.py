"""From a pattern as written to a compiled `Pattern`; whatever the service refuses is refused here, with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from .complexity import is_too_complex
from .errors import PatternError
from .expressions import RESERVED_NAMES, parse_condition
from .match import Conjunction, FieldTest, Pattern

OR: Final = "$or"
MAX_COMBINATIONS: Final = 1000  # EventBridge user guide, "Comparison operators": an $or may not result in more

Rule = dict[str, FieldTest]


def compile(pattern: Mapping[str, Any] | str | bytes) -> Pattern:
    """Compile an EventBridge event pattern, given as JSON text or as the object it decodes to.

    Raises PatternError for everything the service refuses, and for a key written twice in one object of the text.
    Source: EventBridge user guide, "Event pattern syntax" and "Comparison operators".
    """
    document = _decode(pattern) if isinstance(pattern, str | bytes) else pattern
    if not isinstance(document, Mapping):
        raise PatternError("a pattern must be an object", "$")
    rules = _parse_object(document, "$", "", [{}], in_or=False)
    return Pattern([Conjunction(list(rule.values())) for rule in rules])


def _decode(text: str | bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except PatternError:
        raise
    except (ValueError, RecursionError) as problem:
        raise PatternError(f"not valid JSON: {problem}", "$") from problem


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for key, value in pairs:
        if key in node:
            raise PatternError(f'"{key}" is written twice in one object', f"$..{key}")
        node[key] = value
    return node


def _refuse_constant(name: str) -> Any:
    raise PatternError(f"not valid JSON: {name}", "$")


def _parse_object(node: Mapping[str, Any], where: str, prefix: str, rules: list[Rule], *, in_or: bool) -> list[Rule]:
    """Every rule of `rules`, with the conditions of `node` added; naming a path again replaces its conditions."""
    if not node:
        raise PatternError("empty objects are not allowed", where)
    for name, wanted in node.items():
        here = f"{where}.{name}"
        if in_or and name in RESERVED_NAMES:
            raise PatternError(f'"{name}" is an operator, and no field name inside {OR}', here)
        if name == OR:
            rules = _parse_or(wanted, here, prefix, rules)
        elif isinstance(wanted, Mapping):
            rules = _parse_object(wanted, here, f"{prefix}{name}.", rules, in_or=in_or)
        elif isinstance(wanted, list | tuple):
            test = _parse_field(wanted, here, prefix + name)
            rules = [{**rule, test.path: test} for rule in rules]
        else:
            raise PatternError(f'"{name}" must be an object or an array', here)
    return rules


def _parse_or(branches: Any, where: str, prefix: str, rules: list[Rule]) -> list[Rule]:
    if not isinstance(branches, list | tuple) or len(branches) < 2:
        raise PatternError(f"{OR} must be an array of at least two objects", where)
    combined: list[Rule] = []
    for index, branch in enumerate(branches):
        here = f"{where}[{index}]"
        if not isinstance(branch, Mapping):
            raise PatternError(f"{OR} takes objects only", here)
        combined += _parse_object(branch, here, prefix, rules, in_or=True)
        if len(combined) > MAX_COMBINATIONS:
            raise PatternError(f"{OR} results in more than {MAX_COMBINATIONS} combinations", where)
    return combined


def _parse_field(conditions: list[Any] | tuple[Any, ...], where: str, path: str) -> FieldTest:
    if not conditions:
        raise PatternError("empty arrays are not allowed", where)
    operators = [parse_condition(item, f"{where}[{index}]") for index, item in enumerate(conditions)]
    if is_too_complex(operators):
        raise PatternError("too complex: it needs fewer wildcards, or less repetition after an asterisk", where)
    return FieldTest(path, operators)
