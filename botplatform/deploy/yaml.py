"""Plain data as the YAML of CloudFormation, written the way people write it, and the same every time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# YAML 1.2.2, 7.3.3 "Plain Style", and stricter: whatever looks like anything else is quoted.
_PLAIN = re.compile(r"[A-Za-z/](?:[\w!\"$%&'()*+./;<=>?@^|~-]|:(?=[\w/:*]))*\Z", re.ASCII)
_WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
_WIDTH = 90
# AWS CloudFormation User Guide, "Intrinsic function reference": the short forms.
_TAGS = {"Ref": "!Ref", "Fn::GetAtt": "!GetAtt", "Fn::Sub": "!Sub"}


def dump(value: Any) -> str:
    """A block of YAML for dicts, lists, texts, numbers, booleans and None, in the order they are in."""
    return "\n".join(_block(value)) + "\n"


def _block(value: Any) -> Iterator[str]:
    """The lines of a value, not indented."""
    if not _has_lines(value):
        yield _line(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _entry(_text(str(name)), item)
    else:
        for item in value:
            first, *rest = _block(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _entry(name: str, value: Any) -> Iterator[str]:
    lines = _block(value)
    if not _has_lines(value):
        yield f"{name}: {next(lines)}"
        return
    yield f"{name}:"
    yield from (f"  {line}" for line in lines)


def _has_lines(value: Any) -> bool:
    """Whether a value takes lines of its own: one with values inside that are no mere words."""
    if isinstance(value, dict):
        return bool(value) and not _tag(value)
    return isinstance(value, list | tuple) and (any(map(_has_lines, value)) or len(_line(value)) > _WIDTH)


def _tag(value: Any) -> str | None:
    """The tag that says in short what a function of CloudFormation's does."""
    return _TAGS.get(next(iter(value))) if isinstance(value, dict) and len(value) == 1 else None


def _line(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_line, value))}]"
    if tag := _tag(value):
        (inner,) = value.values()
        return f"{tag} {_text(inner if isinstance(inner, str) else '.'.join(inner))}"
    if isinstance(value, str):
        return _text(value)
    number = json.dumps(value)
    # YAML 1.1 reads 1e+16 as a text.
    return number.replace("e", ".0e") if isinstance(value, float) and "." not in number else number


def _text(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    escaped = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}
    shown = (escaped.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text)
    return f'"{"".join(shown)}"'
