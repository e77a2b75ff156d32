"""MQTT topic templates: the filter to subscribe with, and what a topic's levels are called."""

from __future__ import annotations

from collections import Counter
from typing import Final

from .errors import PatternError
from .values import Value

MAX_BYTES: Final = 65_535  # MQTT 5.0, 4.7.3: topic names and filters are encoded with a two-byte length
ONE_LEVEL: Final = "+"
REMAINING_LEVELS: Final = "#"
_SHARE: Final = "$share"
_SPECIAL: Final = frozenset("+#{}")


class _Level(Value):
    """One level: what stands for it in the filter (itself, `+` or `#`), and the name it is captured under, if any."""

    filter: str
    name: str | None


class Topic(Value):
    """A parsed topic template; `Topic.parse` makes one.

    `template` is what was written, `filter` the MQTT filter to subscribe with, a `$share/group/` prefix included.
    """

    template: str
    filter: str
    parts: tuple[_Level, ...]

    @classmethod
    def parse(cls, template: str) -> Topic:
        """Parse a template such as `sensors/{room}/temperature`.

        `{name}` captures one level, `{name...}` in last place one or more; `+`, `#` and `$share/group/` mean what
        they mean in MQTT 5.0, 4.7 and 4.8.2. Raises PatternError for what is not a valid filter, for a wildcard or
        a capture mixed with other text in one level, and for a name used twice.
        """
        share, written = _split_share(template)
        levels = tuple(_parse_level(text, f"level {number}") for number, text in enumerate(written, len(share) + 1))
        _check_names([level.name for level in levels if level.name])
        _check_last(levels, len(share))
        topic = cls(template, "/".join([*share, *(level.filter for level in levels)]), levels)
        _check_encoding(topic.filter)
        return topic

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the captures, in order."""
        return tuple(level.name for level in self.parts if level.name)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of the filter, without the share prefix."""
        return tuple(level.filter for level in self.parts)

    def match(self, topic: str) -> dict[str, str] | None:
        """What each name captured of `topic`, a topic name as published, or None if it does not match."""
        first, last = self.parts[0], self.parts[-1]
        if topic.startswith("$") and first.filter in (ONE_LEVEL, REMAINING_LEVELS):
            return None
        published = topic.split("/")
        if last.filter != REMAINING_LEVELS:
            return self._capture(published) if len(published) == len(self.parts) else None
        before = len(self.parts) - 1
        if len(published) < before + (last.name is not None):  # a bare # also matches the parent level
            return None
        remaining = ["/".join(published[before:])] if len(published) > before else []
        return self._capture(published[:before] + remaining)

    def _capture(self, texts: list[str]) -> dict[str, str] | None:
        captures = {}
        for level, text in zip(self.parts, texts, strict=False):
            if level.name:
                captures[level.name] = text
            elif level.filter not in (text, ONE_LEVEL, REMAINING_LEVELS):
                return None
        return captures


def _split_share(template: str) -> tuple[list[str], list[str]]:
    """The `$share` and group levels, if any, and the levels of the filter proper."""
    levels = template.split("/")
    share, written = (levels[:2], levels[2:]) if levels[0] == _SHARE else ([], levels)
    if share and (len(levels) < 3 or not levels[1] or set(levels[1]) & _SPECIAL):
        raise PatternError("a shared subscription is $share, a group name without wildcards, and a filter", "level 2")
    if written == [""]:
        raise PatternError("a topic needs at least one character", f"level {len(levels)}")
    return share, written


def _parse_level(text: str, where: str) -> _Level:
    if text in (ONE_LEVEL, REMAINING_LEVELS) or not set(text) & _SPECIAL:
        return _Level(text, None)
    name = text[1:-1]
    if not (text.startswith("{") and text.endswith("}")):
        raise PatternError("a wildcard or {name} takes a whole level", where)
    remaining = name.endswith("...")
    name = name.removesuffix("...")
    if not name.isidentifier():
        raise PatternError(f"{text} does not name a capture: a letter, then letters, digits and _", where)
    return _Level(REMAINING_LEVELS if remaining else ONE_LEVEL, name)


def _check_names(names: list[str]) -> None:
    for name, uses in Counter(names).items():
        if uses > 1:
            raise PatternError(f"the name is used {uses} times", f"{{{name}}}")


def _check_last(levels: tuple[_Level, ...], offset: int) -> None:
    for number, level in enumerate(levels[:-1], offset + 1):
        if level.filter == REMAINING_LEVELS:
            raise PatternError("# and {name...} can only come last", f"level {number}")


def _check_encoding(filter_: str) -> None:
    if "\0" in filter_:
        raise PatternError("a topic cannot hold the NUL character", "topic")
    try:
        size = len(filter_.encode())
    except UnicodeEncodeError as problem:
        raise PatternError("a topic must be valid UTF-8", "topic") from problem
    if size > MAX_BYTES:
        raise PatternError(f"a topic takes at most {MAX_BYTES} bytes, and this one {size}", "topic")
