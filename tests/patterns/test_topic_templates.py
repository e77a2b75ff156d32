"""Topic templates: what they subscribe to, what they capture, and which are refused."""

from __future__ import annotations

import pytest

from botplatform.patterns.errors import PatternError
from botplatform.patterns.topics import Topic


@pytest.mark.parametrize(
    ("template", "filter_", "names"),
    [
        ("sensors/{room}/temperature", "sensors/+/temperature", ("room",)),
        ("{site}/{rest...}", "+/#", ("site", "rest")),
        ("{all...}", "#", ("all",)),
        ("a/+/#", "a/+/#", ()),
        ("/", "/", ()),
        ("$share/workers/jobs/{id}", "$share/workers/jobs/+", ("id",)),
        ("$SYS/broker/{what...}", "$SYS/broker/#", ("what",)),
    ],
)
def test_a_template_knows_its_filter_and_its_names(template: str, filter_: str, names: tuple[str, ...]) -> None:
    topic = Topic.parse(template)
    assert (topic.filter, topic.names) == (filter_, names)


@pytest.mark.parametrize(
    ("template", "topic", "captures"),
    [
        ("sensors/{room}/temperature", "sensors/kitchen/temperature", {"room": "kitchen"}),
        ("sensors/{room}/temperature", "sensors//temperature", {"room": ""}),
        ("sensors/{room}/temperature", "sensors/kitchen/humidity", None),
        ("sensors/{room}/temperature", "sensors/kitchen/temperature/now", None),
        ("sensors/{room}/temperature", "sensors/kitchen", None),
        ("{site}/{rest...}", "home/a/b", {"site": "home", "rest": "a/b"}),
        ("{site}/{rest...}", "home/", {"site": "home", "rest": ""}),
        ("{site}/{rest...}", "home", None),
        ("{site}/#", "home", {"site": "home"}),
        ("{all...}", "a", {"all": "a"}),
        ("a/{b}/+/#", "a/1/2/3/4", {"b": "1"}),
        ("a/B", "a/b", None),
        # a wildcard in first place keeps away from topics of the broker's own
        ("+/x", "$SYS/x", None),
        ("{first}/x", "$SYS/x", None),
        ("{all...}", "$SYS/x", None),
        ("$SYS/{rest...}", "$SYS/a/b", {"rest": "a/b"}),
        ("a/+", "a/$b", {}),
        # the share prefix is no part of the topic
        ("$share/workers/jobs/{id}", "jobs/7", {"id": "7"}),
        ("$share/workers/jobs/{id}", "$share/workers/jobs/7", None),
        ("$share/workers/#", "$SYS/x", None),
        ("$share/workers//x", "/x", {}),
    ],
)
def test_a_topic_is_captured_or_not_matched(template: str, topic: str, captures: dict[str, str] | None) -> None:
    assert Topic.parse(template).match(topic) == captures


@pytest.mark.parametrize(
    ("template", "where"),
    [
        ("", "level 1"),
        ("a/#/b", "level 2"),
        ("{rest...}/b", "level 1"),
        ("a/b#", "level 2"),
        ("a+/b", "level 1"),
        ("a/room-{room}", "level 2"),
        ("a/{x}{y}", "level 2"),
        ("a/{room", "level 2"),
        ("a/}", "level 2"),
        ("a/{}", "level 2"),
        ("a/{...}", "level 2"),
        ("a/{two words}", "level 2"),
        ("{x}/{x}", "{x}"),
        ("{x}/{x...}", "{x}"),
        ("a\0b", "topic"),
        ("a/\ud800", "topic"),
        ("é" * 32_768, "topic"),
        ("$share", "level 2"),
        ("$share/g", "level 2"),
        ("$share//a", "level 2"),
        ("$share/+/a", "level 2"),
        ("$share/{g}/a", "level 2"),
        ("$share/g/", "level 3"),
        ("$share/g/#/a", "level 3"),
    ],
)
def test_an_invalid_template_says_where(template: str, where: str) -> None:
    with pytest.raises(PatternError) as refused:
        Topic.parse(template)
    assert refused.value.where == where


def test_a_topic_may_take_65535_bytes() -> None:
    assert Topic.parse("x" * 65_535).match("x" * 65_535) == {}


def test_equal_templates_are_equal() -> None:
    assert Topic.parse("a/{b}") == Topic.parse("a/{b}")
