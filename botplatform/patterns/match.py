"""Whether an event fulfils a compiled pattern, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .arrays import Choice, consistent
from .fields import Fields, Paths, Values
from .operators import Absent, Exactly, Operator, identity, quoted

MOST_SHOWN: Final = 3  # values of an array, or alternatives of an $or, that one explanation spells out


class FieldTest:
    """The conditions on one field, any of which will do."""

    __slots__ = ("_others", "exact", "may_be_absent", "operators", "path")

    def __init__(self, path: str, operators: list[Operator]) -> None:
        self.path = path
        self.operators = operators
        self.exact = frozenset(identity(operator.value) for operator in operators if isinstance(operator, Exactly))
        self.may_be_absent = any(isinstance(operator, Absent) for operator in operators)
        self._others = [operator for operator in operators if not isinstance(operator, Exactly | Absent)]

    @property
    def is_exact(self) -> bool:
        """Whether only the values in `exact` pass."""
        return not self._others and not self.may_be_absent

    def accepts(self, value: Any) -> bool:
        """Whether any condition accepts this one value."""
        return identity(value) in self.exact or any(operator.accepts(value) for operator in self._others)

    def settle(self, values: Values) -> bool | Choice:
        """Whether the field passes with these values, or the array elements that decides on."""
        if not values:
            return self.may_be_absent
        accepted = {membership for value, membership in values if self.accepts(value)}
        if accepted == {()}:
            return True
        if not self.may_be_absent:
            return bool(accepted) and Choice(self.path, accepted, None)
        return Choice(self.path, accepted, {membership for _, membership in values})

    def complaint(self, values: Values) -> str:
        """What the field held, and what was wanted instead."""
        if not values:
            return f"{self.path} is absent"
        held = [quoted(value) for value, _ in values]
        if len(held) > MOST_SHOWN:
            held[MOST_SHOWN:] = [f"{len(held) - MOST_SHOWN} more"]
        return f"{self.path} is {' and '.join(held)}, wanted {' or '.join(map(str, self.operators))}"


class Conjunction:
    """Fields that must all pass: what is left of a pattern when one branch of every $or is taken."""

    __slots__ = ("tests",)

    def __init__(self, tests: list[FieldTest]) -> None:
        self.tests = tests

    def holds(self, fields: Fields) -> bool:
        """Whether every field passes, those in arrays of objects in the same elements."""
        choices = []
        for test in self.tests:
            settled = test.settle(fields.get(test.path, []))
            if isinstance(settled, Choice):
                choices.append(settled)
            elif not settled:
                return False
        return not choices or consistent(choices)

    def complaint(self, fields: Fields) -> str:
        """Why it does not hold: the first field that fails, or the fields that pass only apart from each other."""
        for test in self.tests:
            if not Conjunction([test]).holds(fields):
                return test.complaint(fields.get(test.path, []))
        apart = [test.path for test in self.tests if isinstance(test.settle(fields.get(test.path, [])), Choice)]
        return f"{' and '.join(apart)} match only in different elements of an array"


class Pattern:
    """A compiled event pattern; `compile` makes one. It never changes, and may be shared between threads."""

    __slots__ = ("_paths", "alternatives")

    def __init__(self, alternatives: list[Conjunction]) -> None:
        self.alternatives = alternatives
        self._paths = Paths(self.paths)

    @property
    def paths(self) -> set[str]:
        """The dotted paths of the fields this pattern looks at."""
        return {test.path for alternative in self.alternatives for test in alternative.tests}

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether `event`, a JSON object as decoded, fulfils the pattern."""
        fields = self._paths.read(event)
        return any(alternative.holds(fields) for alternative in self.alternatives)

    def explain(self, event: Mapping[str, Any]) -> str | None:
        """None if `event` matches, else a sentence: the first field that failed, what it held and what was wanted.

        With an $or, one such clause for each alternative, up to three.
        """
        fields = self._paths.read(event)
        if any(alternative.holds(fields) for alternative in self.alternatives):
            return None
        complaints = list(dict.fromkeys(alternative.complaint(fields) for alternative in self.alternatives))
        if len(complaints) > MOST_SHOWN:
            complaints[MOST_SHOWN:] = [f"{len(complaints) - MOST_SHOWN} more alternatives fail"]
        return "; and ".join(complaints)
