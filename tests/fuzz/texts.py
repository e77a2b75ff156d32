"""Short texts that authors and operators write, as targets: patterns, schedules, topics, commands, times, settings."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

from botplatform.errors import InvalidSettings, Rejected
from botplatform.instants import instant
from botplatform.patterns.errors import PatternError
from botplatform.patterns.index import Index
from botplatform.patterns.parse import compile
from botplatform.patterns.topics import Topic
from botplatform.settings import Settings
from botplatform.sources.schedule.expression import parse
from botplatform.sources.slack.command import CommandTemplate
from tests.fuzz import samples
from tests.fuzz.target import Came, Target, refused

_NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
_EVENT = {"source": "aws.ec2", "a": [1, {"b": "x"}], "b": {"c": None}, "ip": "10.0.0.7"}


def text_targets() -> list[Target]:
    """A target for each kind of text."""
    return [
        Target("pattern", samples.PATTERNS, _pattern, 4),
        Target("schedule", samples.SCHEDULES, _schedule, 3),
        Target("topic", samples.TOPICS, _topic, 2),
        Target("command", samples.COMMANDS, _command, 2),
        Target("time", samples.TIMES, _time, 2),
        Target("settings", samples.SETTINGS, _settings, 2),
    ]


def _pattern(text: bytes) -> Came:
    try:
        pattern = compile(text)
    except PatternError as error:
        return refused(error)
    index: Index[int] = Index()
    index.add(1, pattern)
    assert pattern.matches(_EVENT) == (pattern.explain(_EVENT) is None) == bool(index.match(_EVENT))
    return Came(accepted=1)


def _schedule(text: bytes) -> Came:
    """An expression, and the time zone in the line after it."""
    expression, _, zone = text.decode(errors="replace").partition("\n")
    try:
        schedule = parse(expression, zone or "UTC")
    except Rejected as error:
        return refused(error)
    ticks = list(islice(schedule.after(_NOW), 3))
    assert ticks == sorted(ticks)
    return Came(accepted=1)


def _topic(text: bytes) -> Came:
    try:
        topic = Topic.parse(text.decode(errors="replace"))
    except PatternError as error:
        return refused(error)
    index: Index[int] = Index()
    index.add_topic(1, topic)
    for name in ("sensors/kitchen/temperature", "a/b/c", "/"):
        assert bool(index.match({}, name)) == (topic.match(name) is not None)
    return Came(accepted=1)


def _command(text: bytes) -> Came:
    """A template, and what somebody typed in the line after it."""
    written, _, typed = text.decode(errors="replace").partition("\n")
    try:
        CommandTemplate.parse(written).bind(typed)
    except (ValueError, Rejected) as error:
        return refused(error)
    return Came(accepted=1)


def _time(text: bytes) -> Came:
    try:
        found = instant(text.decode(errors="replace"), _NOW)
    except (ValueError, OverflowError) as error:
        return refused(error)
    assert found.tzinfo
    return Came(accepted=1)


def _settings(text: bytes) -> Came:
    """Lines of NAME=value."""
    lines = (line.partition("=") for line in text.decode(errors="replace").replace("\0", "").splitlines())
    try:
        Settings.read({name: value for name, _, value in lines})
    except InvalidSettings as error:
        return refused(error)
    return Came(accepted=1)
