"""Templates of slash commands, and what people type into them."""

from __future__ import annotations

import pytest

from botplatform.errors import Rejected
from botplatform.sources.slack.command import CommandTemplate


@pytest.mark.parametrize(
    ("template", "typed", "params"),
    [
        ("/temp", "", {}),
        ("/temp", "whatever is typed", {}),
        ("/temp {room}", "kitchen", {"room": "kitchen"}),
        ("/temp {room}", "  living room ", {"room": "living room"}),
        ("/move {what} {where}", "sofa living room", {"what": "sofa", "where": "living room"}),
        ("/move {what} {where}", "sofa \t upstairs", {"what": "sofa", "where": "upstairs"}),
        ("/küche {was}", "Öl & Brot", {"was": "Öl & Brot"}),
        ("/say {text}", "{room}", {"text": "{room}"}),
    ],
)
def test_words_become_parameters_and_the_last_takes_the_rest(template: str, typed: str, params: dict[str, str]) -> None:
    assert CommandTemplate.parse(template).bind(typed) == params


@pytest.mark.parametrize("typed", ["", "  ", "sofa", "sofa   "])
def test_too_few_words_are_answered_with_the_usage(typed: str) -> None:
    template = CommandTemplate.parse("/move {what} {where}")
    with pytest.raises(Rejected, match=r"^usage: /move \{what\} \{where\}$"):
        template.bind(typed)


def test_the_command_is_what_slack_sends() -> None:
    assert CommandTemplate.parse("/temp {room}").command == "/temp"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("", "'' is no slash command: it begins with / and a lower-case name, as in '/temp'"),
        ("temp {room}", "'temp {room}' is no slash command: it begins with / and a lower-case name, as in '/temp'"),
        ("/", "'/' is no slash command: it begins with / and a lower-case name, as in '/temp'"),
        ("/Temp", "'/Temp' is no slash command: it begins with / and a lower-case name, as in '/temp'"),
        (f"/{'t' * 32}", f"'/{'t' * 32}' is no slash command: it begins with / and a lower-case name, as in '/temp'"),
        ("/temp room", "'room' in '/temp room' is no parameter: write {room}"),
        ("/temp {the room}", "'{the' in '/temp {the room}' is no parameter: write {room}"),
        ("/temp {Room}", "'{Room}' in '/temp {Room}' is no parameter: write {room}"),
        ("/move {what} {what}", "'/move {what} {what}' names a parameter twice"),
    ],
)
def test_a_bad_template_is_refused_with_what_is_wrong(template: str, reason: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        CommandTemplate.parse(template)
    assert str(refused.value) == reason
