"""Decode of a JSON text no more than patterns can read: the rest is skipped, and its values are never made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from .fields import inner_paths

# msgspec finds a name by going through all that are wanted: from here on, building everything is cheaper.
MOST_NAMES: Final = 64


def decoder(paths: Iterable[str]) -> Callable[[bytes], Any]:
    """A function that decodes UTF-8 JSON, given as bytes or msgspec.Raw, to an event that only holds `paths`.

    Patterns that read no other (dotted) paths match the result as they match the whole event. The function raises
    msgspec.DecodeError for what is not JSON; in what it skips, text that is not UTF-8 goes unnoticed. Needs msgspec.
    """
    from msgspec.json import Decoder

    return Decoder(_shape(sorted(set(paths)))).decode


def _shape(leaves: list[str]) -> Any:
    """The type of an event, of any JSON value, with no more in it than leads to `leaves`."""
    inner = inner_paths(leaves)
    shapes: dict[str, Any] = dict.fromkeys(leaves, Any)
    for path in sorted(inner, key=len, reverse=True):  # what is further in is shaped first
        shapes[path] = _object(f"{path}.", shapes)
    return _object("", shapes)


def _object(prefix: str, shapes: dict[str, Any]) -> Any:
    """An object with what is known below `prefix`, or arrays of such objects, or whatever else may stand there.

    A key with dots in it is as good as several keys, so every name is wanted with all the dots it can have.
    """
    names = {path.removeprefix(prefix): shape for path, shape in shapes.items() if path.startswith(prefix)}
    if len(names) > MOST_NAMES or not all(map(str.isascii, names)):  # msgspec knows no other names here
        return Any
    from typing import TypedDict

    wanted: Any = TypedDict("wanted", names, total=False)  # type: ignore[misc]
    scalar = str | int | float | bool | None
    return wanted | list[wanted | list[Any] | scalar] | scalar
