"""Values that compare by what they hold, without dataclasses: their import takes longer than that of this package."""

from __future__ import annotations

from typing import Any, dataclass_transform


@dataclass_transform(frozen_default=True)
class Value:
    """The base of a class whose annotated names are its fields, given in their order when one is made."""

    def __init__(self, *fields: Any) -> None:
        vars(self).update(zip(type(self).__annotations__, fields, strict=True))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{tuple(vars(self).values())}"
