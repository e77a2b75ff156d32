"""How complex the wildcards of one field are: by how many places in them a value may have got to at once.

The measure is after that of aws/event-ruler (README, "Machine complexity"). The service refuses complex rules and does
not say where it draws the line: ours lies between a rule it took, which comes to 15 here, and one it refused, with 20.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from .operators import AnythingBut, Operator, Text

MOST_PLACES: Final = 16
MOST_STATES: Final = 1000  # that a value may lead to; with more it takes too long to look at them all
SIMPLE: Final = 3  # so many asterisks never come to more
ANYTHING: Final = ""

Place = tuple[int, int]  # the number of a wildcard, and how much of it was passed
State = frozenset[Place]


def is_too_complex(operators: Iterable[Operator]) -> bool:
    """Whether the wildcards among the conditions of one field are more than the service takes together."""
    wildcards = list(_wildcards(operators))
    if sum(wildcard.count(ANYTHING) for wildcard in wildcards) <= SIMPLE:
        return False
    start = _settled(wildcards, ((number, 0) for number in range(len(wildcards))))
    seen, pending = {start}, [start]
    letters = {letter for wildcard in wildcards for letter in wildcard}
    while pending:
        state = pending.pop()
        if len(seen) > MOST_STATES or sum(_is_open(wildcards, place) for place in state) > MOST_PLACES:
            return True
        after = {_step(wildcards, state, letter) for letter in letters} - seen
        seen |= after
        pending += after
    return False


def _wildcards(operators: Iterable[Operator]) -> Iterator[list[str]]:
    """Each as its letters, with ANYTHING for an asterisk."""
    for operator in operators:
        if isinstance(operator, AnythingBut):
            yield from _wildcards(operator.unwanted)
        elif isinstance(operator, Text) and operator.is_wildcard:
            first, *further = operator.pieces
            yield [*first, *(letter for piece in further for letter in (ANYTHING, *piece))]


def _step(wildcards: list[list[str]], state: State, letter: str) -> State:
    """Where a value has got to with one letter more; ANYTHING stands for a letter that none of them has."""
    places = []
    for number, passed in state:
        here = wildcards[number][passed : passed + 1]
        if here == [ANYTHING]:
            places.append((number, passed))
        elif here == [letter]:
            places.append((number, passed + 1))
    return _settled(wildcards, places)


def _settled(wildcards: list[list[str]], places: Iterable[Place]) -> State:
    """These places, and those behind an asterisk, which may stand for nothing."""
    settled = set(places)
    settled |= {
        (number, passed + 1) for number, passed in settled if wildcards[number][passed : passed + 1] == [ANYTHING]
    }
    return frozenset(settled)


def _is_open(wildcards: list[list[str]], place: Place) -> bool:
    """Whether an asterisk led there."""
    number, passed = place
    return ANYTHING in wildcards[number][: passed + 1]
