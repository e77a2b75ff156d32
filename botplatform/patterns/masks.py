"""Many conjunctions against one event: a bit for each, and for each value of a field the mask of those it suits.

What a value suits is worked out when it is first seen and kept while there is room, so that an event costs a look-up
and an "and" for each field, however many patterns ask for that field.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, repeat
from typing import Any, Final

from .conditions import Conditions
from .fields import Fields
from .match import Conjunction, FieldTest
from .operators import AnythingBut, Operator
from .plain import ABSENT, by_parent, check_scalar, scalars_of

LONGEST_KEPT: Final = 256  # characters of a value whose mask is kept
# How many masks a field keeps. Values come from outside: memory stays in proportion to what patterns ask for.
MOST_KEPT: Final = 4096
KEPT_PER_CONDITION: Final = 8
_ABSENTS: Final = repeat(ABSENT)
_TWINS: Final = (0, 1)  # a dict takes them for false and true, JSON does not


class Suited(dict[Any, int]):
    """For each value of one field the mask of the conjunctions that it suits, those that do not ask included."""

    __slots__ = ("_absent", "_refused", "_unasked", "_unless", "_wanted", "asking", "booleans", "most")

    def __init__(self, tests: Iterable[tuple[int, FieldTest]], everyone: int) -> None:
        """Take the test that the conjunction of each bit has on this field; `everyone` is the mask of all bits."""
        super().__init__()
        self._absent = self._unasked = everyone
        self._wanted, self._refused, self._unless = Conditions(), Conditions(), 0
        for bit, test in tests:
            self._unasked &= ~bit
            if not test.may_be_absent:
                self._absent &= ~bit
            self._add(bit, test.operators)
        self.most = min(MOST_KEPT, KEPT_PER_CONDITION * (2 + self._wanted.count + self._refused.count))
        self.asking = everyone & ~self._unasked
        self.booleans = self._of(False), self._of(True)

    def _add(self, bit: int, operators: list[Operator]) -> None:
        refusing = [operator for operator in operators if isinstance(operator, AnythingBut)]
        if len(refusing) == 1:  # of several, what one refuses another may want
            self._unless |= bit
            for unwanted in refusing[0].unwanted:
                self._refused.add(unwanted, bit)
        for operator in operators:
            if operator not in refusing or len(refusing) > 1:
                self._wanted.add(operator, bit)

    def __missing__(self, value: Any) -> int:
        if isinstance(value, bool):
            return self.booleans[value]
        if isinstance(value, tuple | Mapping):
            return self.among(value)
        mask = self._of(value)
        if value in _TWINS or (isinstance(value, str) and len(value) > LONGEST_KEPT):
            return mask
        if len(self) >= self.most:
            self.clear()
        self[value] = mask
        return mask

    @property
    def tells_twins(self) -> bool:
        """Whether it takes 0 and false, or 1 and true, for different values, as a dict does not."""
        return self.booleans != (self[0], self[1])

    def among(self, value: Any) -> int:
        """The mask for an array of scalars, which suits whom one of them suits, or for an object, which is no value."""
        scalars = scalars_of(value)
        return self.of_any(scalars) if scalars else self._absent

    def of_any(self, values: Iterable[Any]) -> int:
        """The mask of those that one of these scalars suits."""
        mask = 0
        for value in values:
            mask |= self[value]
        return mask

    def _of(self, value: Any) -> int:
        if value is ABSENT:
            return self._absent
        return self._unasked | self._wanted.accepting(value) | (self._unless & ~self._refused.accepting(value))


class Together(dict[tuple[Any, ...], int]):
    """The same for the values of several fields of one object, which often come together."""

    __slots__ = ("_columns", "_most", "names")

    def __init__(self, columns: Iterable[tuple[str, Suited]]) -> None:
        super().__init__()
        self.names, self._columns = zip(*columns, strict=True)
        self._most = sum(suited.most for suited in self._columns)

    def __missing__(self, values: tuple[Any, ...]) -> int:
        mask = self.among(values)
        if sum(len(value) for value in values if isinstance(value, str)) <= LONGEST_KEPT * 2:
            if len(self) >= self._most:
                self.clear()
            self[values] = mask
        return mask

    def among(self, values: Iterable[Any]) -> int:
        """The mask for one value of each field, arrays and objects among them."""
        mask = -1
        for suited, value in zip(self._columns, values, strict=True):
            try:
                mask &= suited[value]
            except TypeError:
                mask &= suited.among(value)
        return mask


class Masks:
    """Conjunctions, each with the number of its pattern, that an event is held against together."""

    __slots__ = ("_conjunctions", "_decided", "_everyone", "_groups", "_numbers", "_suited")

    def __init__(self, numbered: Sequence[tuple[int, Conjunction]], decided: str | None) -> None:
        """Take what is to be held against events; `decided` is a path on which all those that come here pass."""
        self._decided = decided
        self._numbers = [number for number, _ in numbered]
        self._conjunctions = [conjunction for _, conjunction in numbered]
        self._everyone = (1 << len(numbered)) - 1
        tests: defaultdict[str, list[tuple[int, FieldTest]]] = defaultdict(list)
        for position, conjunction in enumerate(self._conjunctions):
            for test in conjunction.tests:
                if test.path != decided:
                    tests[test.path].append((1 << position, test))
        self._suited = {path: Suited(asked, self._everyone) for path, asked in tests.items()}
        groups = [(keys, *_split(columns), *self._summed(columns)) for keys, columns in by_parent(self._suited)]
        self._groups = sorted(groups, key=lambda group: group[-1].bit_count(), reverse=True)

    def holding(self, event: dict[str, Any]) -> int:
        """The mask of the conjunctions that hold for a plain event; raises NotPlain if it turns out not to be one."""
        mask = self._everyone
        for keys, columns, together, absent, asking in self._groups:
            if not mask & asking:
                continue
            node: Any = event
            for key in keys:
                node = node.get(key)
                if type(node) is not dict:
                    if node is not None:
                        check_scalar(node)
                    mask &= absent
                    break
            else:
                for name, suited in columns:
                    value = node.get(name, ABSENT)
                    try:
                        mask &= suited.booleans[value] if type(value) is bool else suited[value]
                    except TypeError:  # arrays and objects are no keys of a dict
                        mask &= suited.among(value)
                if together is not None:
                    values = tuple(map(node.get, together.names, _ABSENTS))
                    try:
                        mask &= together[values]
                    except TypeError:
                        mask &= together.among(values)
        return mask

    def holding_among(self, fields: Fields) -> int:
        """The same for an event laid out flat, whatever is in it."""
        mask = self._everyone
        # Of values in arrays, two must be in the same elements, and one that may be absent may be so in some.
        in_arrays, doubtful = (mask if _is_in_arrays(fields, self._decided) else 0), 0
        for path, suited in self._suited.items():
            values = fields.get(path)
            passing = suited.of_any(value for value, _ in values) if values else suited[ABSENT]
            if _is_in_arrays(fields, path):
                passing |= suited[ABSENT]
                doubtful |= suited.asking & (in_arrays | suited[ABSENT])
                in_arrays |= suited.asking
            mask &= passing
        for position in _positions(mask & doubtful):
            if not self._conjunctions[position].holds(fields):
                mask &= ~(1 << position)
        return mask

    def numbers(self, mask: int) -> Iterator[int]:
        """The numbers of the patterns whose conjunctions are in `mask`."""
        return compress(self._numbers, _bits(mask))

    def _summed(self, columns: list[tuple[str, Suited]]) -> tuple[int, int]:
        """Those whom it suits that there is no such object at all, and those that ask for any of its fields."""
        absent, asking = self._everyone, 0
        for _, suited in columns:
            absent &= suited[ABSENT]
            asking |= suited.asking
        return absent, asking


def _bits(mask: int) -> Iterator[int]:
    """The bits of `mask` as 0 and 1, the lowest first."""
    return map(int, reversed(f"{mask:b}"))


def _positions(mask: int) -> Iterator[int]:
    return (position for position, bit in enumerate(_bits(mask)) if bit)


def _split(columns: list[tuple[str, Suited]]) -> tuple[list[tuple[str, Suited]], Together | None]:
    """The fields to be asked one by one, and those whose values may be looked up together."""
    alike = [column for column in columns if not column[1].tells_twins]
    if len(alike) < 2:
        return columns, None
    return [column for column in columns if column[1].tells_twins], Together(alike)


def _is_in_arrays(fields: Fields, path: str | None) -> bool:
    return path is not None and any(membership for _, membership in fields.get(path, ()))
