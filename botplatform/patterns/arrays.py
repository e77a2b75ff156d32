"""Array consistency: conditions on an array of objects must hold together in one of its elements.

The rule, and the order it is applied in (fields by name), are those of aws/event-ruler, "JSON Array Matching".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from .fields import Element, Membership

State = frozenset[Element]  # the element chosen in each array so far


class Elements:
    """The places in arrays where a field has values, found by the elements already chosen."""

    __slots__ = ("_by_element", "_common", "arrays", "memberships")

    def __init__(self, memberships: Iterable[Membership]) -> None:
        self.memberships = list(memberships)
        around = [{array for array, _ in membership} for membership in self.memberships]
        self.arrays = set[int]().union(*around)
        self._common = set.intersection(*around) if around else set()
        self._by_element: dict[Element, list[Membership]] = defaultdict(list)
        for membership in self.memberships:
            for element in membership:
                self._by_element[element].append(membership)

    def agreeing(self, state: State) -> Iterator[Membership]:
        """The places that choose no other element of an array than `state` did."""
        chosen = dict(state)
        for membership in self._near(state):
            if all(chosen.get(array, index) == index for array, index in membership):
                yield membership

    def _near(self, state: State) -> list[Membership]:
        for element in sorted(state, reverse=True):  # arrays are numbered from the outside in: the narrowest first
            if element[0] in self._common:
                return self._by_element.get(element, [])
        return self.memberships


class Choice:
    """A field that passes only in some array elements: where it is accepted, and, if it may be absent, where it is."""

    __slots__ = ("accepted", "path", "present")

    def __init__(self, path: str, accepted: set[Membership], present: set[Membership] | None) -> None:
        self.path = path
        self.accepted = Elements(accepted)
        self.present = None if present is None else Elements(present)

    @property
    def arrays(self) -> set[int]:
        return self.accepted.arrays | (self.present.arrays if self.present else set())

    def extend(self, state: State) -> Iterator[State]:
        """The states in which this field passes too."""
        for membership in self.accepted.agreeing(state):
            yield state | set(membership)
        if self.present and next(self.present.agreeing(state), None) is None:
            yield state


def consistent(choices: list[Choice]) -> bool:
    """Whether one element of each array can be chosen so that every field passes."""
    states: set[State] = {frozenset()}
    for choice, ahead in _with_arrays_ahead(sorted(choices, key=lambda choice: choice.path)):
        states = {_only(after, ahead) for before in states for after in choice.extend(before)}
    return bool(states)


def _with_arrays_ahead(choices: list[Choice]) -> list[tuple[Choice, set[int]]]:
    ahead: set[int] = set()
    paired = []
    for choice in reversed(choices):
        paired.append((choice, ahead))
        ahead = ahead | choice.arrays
    return paired[::-1]


def _only(state: State, arrays: set[int]) -> State:
    """What later fields can still disagree with; forgetting the rest keeps unrelated arrays from multiplying."""
    return frozenset(element for element in state if element[0] in arrays)
