"""The plan: what a deployment would add, change and remove, as a difference between two CloudFormation templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

Template = Mapping[str, Any]
Kind = Literal["functions", "triggers", "permissions", "resources"]

# By the beginning of a resource's type; whatever is none of them is a resource.
_KINDS: dict[str, Kind] = {
    "AWS::Lambda::Function": "functions",
    "AWS::Lambda::Permission": "permissions",
    "AWS::Lambda::": "triggers",
    "AWS::ApiGatewayV2::": "triggers",
    "AWS::Events::Rule": "triggers",
    "AWS::IoT::": "triggers",
    "AWS::Scheduler::": "triggers",
    "AWS::IAM::": "permissions",
    "AWS::SQS::QueuePolicy": "permissions",
}
KINDS: tuple[Kind, ...] = ("functions", "triggers", "permissions", "resources")
_TELLING = (" may ", "Sql: ", "ScheduleExpression: ", "RouteKey: ", "EventPattern.")
_BESIDES = ("Description: ", "sts:AssumeRole")
# What is left of these ARNs is the service and the resource.
_ARN = re.compile(r"arn:\$\{AWS::Partition\}:(\w+):[^:, ]*(?:::\w+\})?:[^:, ]*(?:::\w+\})?:")
# It changes with each packaging; whether the code did is compared by its hash.
_PACKAGING = ("Properties.Code.",)


class Change(NamedTuple):
    """One resource that is added (`+`), changed (`~`) or removed (`-`), and the facts that come and go with it.

    A fact is a line that begins with its own `+` or `-`.
    """

    sign: Literal["+", "~", "-"]
    kind: Kind
    type: str
    name: str
    facts: tuple[str, ...] = ()

    @property
    def telling(self) -> list[str]:
        """The facts people want to read: all of a change; of what comes or goes, when it runs and what it may do."""
        if self.sign == "~":
            return list(self.facts)
        return [f for f in self.facts if any(w in f for w in _TELLING) and not any(w in f for w in _BESIDES)]


def changes(old: Template, new: Template, new_code: frozenset[str] = frozenset()) -> list[Change]:
    """What turns one template into the other, by kind and name; `new_code` names functions whose code has changed.

    A template without resources (`{}`) stands for a stack that is not there.
    """
    before, after = old.get("Resources", {}), new.get("Resources", {})
    found = [change for name in {*before, *after} if (change := _change(name, before, after, new_code))]
    return sorted(found, key=lambda change: (KINDS.index(change.kind), change.name))


def _change(logical: str, before: Template, after: Template, new_code: frozenset[str]) -> Change | None:
    old, new = before.get(logical), after.get(logical)
    resource = new or old or {}
    name = _name(logical, resource)
    gone, come = sorted(_facts(old) - _facts(new)), sorted(_facts(new) - _facts(old))
    facts = [f"- {fact}" for fact in gone] + [f"+ {fact}" for fact in come]
    if old and new and name in new_code:
        facts.append("+ code")
    if not facts and old and new:
        return None
    sign: Literal["+", "~", "-"] = "~" if old and new else "+" if new else "-"
    return Change(sign, _kind(resource["Type"]), resource["Type"], name, tuple(facts))


def _name(logical: str, resource: Template) -> str:
    """A function's own name; of all else the one in the template, without osls's spelling of `_`."""
    name = resource.get("Properties", {}).get("FunctionName")
    return name if isinstance(name, str) else logical.replace("Underscore", "_")


def _kind(type_: str) -> Kind:
    return next((kind for prefix, kind in _KINDS.items() if type_.startswith(prefix)), "resources")


def _facts(resource: Template | None) -> set[str]:
    """What a resource says, each thing on a line of its own."""
    found: set[str] = set()
    for path, value in _leaves(resource or {}, ""):
        if not path.startswith(_PACKAGING):
            found.add(f"{path.removeprefix('Properties.')}: {value}" if path else value)
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every value with its path; a statement of a policy is one line, and so is a reference."""
    statement = _statement(value)
    reference = _reference(value)
    if statement:
        yield "", statement
    elif reference is not None:
        yield path, reference
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, str(value)


def _statement(value: Any) -> str:
    """A policy's statement in words; empty for anything else."""
    if not isinstance(value, Mapping) or "Effect" not in value or "Action" not in value:
        return ""
    who = value.get("Principal")
    told = f"{_listed(who)} may " if who else "may "
    told += "not " if value["Effect"] == "Deny" else ""
    where = f"all but {_listed(value['NotResource'])}" if "NotResource" in value else _listed(value.get("Resource"))
    told += _listed(value["Action"]) + (f" on {where}" if where else "")
    return _ARN.sub(r"\1 ", told) + _conditions(value.get("Condition", {}))


def _conditions(condition: Mapping[str, Mapping[str, Any]]) -> str:
    """What has to hold for a statement to count: each key once, with all its values."""
    told = [f"{key} ({test}) {_listed(wanted)}" for test, keys in condition.items() for key, wanted in keys.items()]
    return f" if {' and '.join(sorted(told))}" if told else ""


def _listed(value: Any) -> str:
    """Anything on one line, in an order that does not depend on how it was written down; nothing for None."""
    if value is None:
        return ""
    return ", ".join(sorted(f"{path} {text}".strip() for path, text in _leaves(value, "")))


def _reference(value: Any) -> str | None:
    """What a CloudFormation function refers to; None for anything else."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    [(function, argument)] = value.items()
    if function == "Ref":
        return f"${{{argument}}}"
    if function == "Fn::GetAtt":
        return f"${{{argument if isinstance(argument, str) else '.'.join(argument)}}}"
    if function == "Fn::Sub":
        return str(argument if isinstance(argument, str) else argument[0])
    if function == "Fn::Join":
        return str(argument[0]).join(_text(part) for part in argument[1])
    return None


def _text(value: Any) -> str:
    reference = _reference(value)
    return str(value) if reference is None else reference
