"""Frozen values with named fields, for all that is imported on Lambda.

`NamedTuple` is typing's, but for one thing: it leaves annotations alone. Typing's own compiles the text of each, which
is a tenth of a function's start; dataclasses take twice as long again. And `_make`, which does not count what it is
given, makes one of a tuple of all its values in half the time: it is for what every event passes.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _Fields(type):
        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body.get("__annotations__", ())
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            made._make = classmethod(tuple.__new__)  # nothing in between: half of what the constructor takes
            for attribute, value in body.items():
                setattr(made, attribute, value)
            return made

    class NamedTuple(metaclass=_Fields):
        """The base of a class whose annotated names are the fields of a tuple; those with a default come last."""


__all__ = ["NamedTuple"]
