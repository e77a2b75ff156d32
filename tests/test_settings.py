"""Settings: read once from a mapping, and what is wrong is said all at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from botplatform.errors import InvalidSettings
from botplatform.settings import Settings, declared, example

ROOT = Path(__file__).resolve().parents[1]
SECRETS = [setting.name for setting in declared() if setting.secret]


def complaint(**given: str) -> str:
    with pytest.raises(InvalidSettings) as wrong:
        Settings.read(given)
    return str(wrong.value)


def parsed(given: dict[str, str]) -> dict[str, Any]:
    settings = Settings.read(given)
    return {setting.name: getattr(settings, setting.attribute) for setting in declared()}


def settings_in(text: str) -> list[tuple[str, str]]:
    """The settings that are commented out in a .env file, with their values."""
    return re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE)


def test_everything_has_a_default() -> None:
    settings = Settings.read({})

    assert (settings.host, settings.port, settings.state) == ("127.0.0.1", 8080, Path(".botplatform"))
    assert not settings.sends_texts


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("BOTPLATFORM_STATE", "/var/lib/bot", "state", Path("/var/lib/bot")),
        ("BOTPLATFORM_PORT", "0", "port", 0),
        ("BOTPLATFORM_PORT", " 65535 ", "port", 65535),
        ("BOTPLATFORM_BLOCK", "door_lock, ,help", "block", ("door_lock", "help")),
        ("BOTPLATFORM_RECIPIENTS", "owner=+15550100, ops=+15550101", "recipients", ("owner", "ops")),
        (
            "ALEXA_SKILL_ID",
            "amzn1.ask.skill.1,amzn1.ask.skill.2",
            "alexa_skill_ids",
            ("amzn1.ask.skill.1", "amzn1.ask.skill.2"),
        ),
        ("MQTT_URL", "mqtts://user:p%40ss@broker:8883", "mqtt_url", "mqtts://user:p%40ss@broker:8883"),
        ("MQTT_VERSION", "3.1.1", "mqtt_version", "3.1.1"),
        ("MQTT_CA_FILE", __file__, "mqtt_ca_file", __file__),
    ],
)
def test_a_setting_is_parsed(name: str, text: str, attribute: str, value: Any) -> None:
    assert getattr(Settings.read({name: text}), attribute) == value


def test_an_empty_setting_is_one_that_is_not_set() -> None:
    assert parsed({setting.name: " " for setting in declared()}) == parsed({})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BOTPLATFORM_PORT", "http"),
        ("BOTPLATFORM_PORT", "-1"),
        ("BOTPLATFORM_PORT", "65536"),
        ("BOTPLATFORM_PORT", "²"),
        ("BOTPLATFORM_RECIPIENTS", "owner"),
        ("BOTPLATFORM_RECIPIENTS", "owner=5550100"),
        ("BOTPLATFORM_RECIPIENTS", "=+15550100"),
        ("ALEXA_SKILL_ID", "my-skill"),
        ("MQTT_URL", "broker:1883"),
        ("MQTT_URL", "http://broker"),
        ("MQTT_URL", "mqtt://[broker"),
        ("MQTT_VERSION", "4"),
        ("MQTT_CA_FILE", "/nowhere/ca.pem"),
    ],
)
def test_a_wrong_setting_is_named(name: str, text: str) -> None:
    assert name in complaint(**{name: text})


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_SIGNING_SECRET"),
        ({"AWS_ACCESS_KEY_ID": "AKIA1"}, "AWS_SECRET_ACCESS_KEY"),
        ({"BOTPLATFORM_HOST": "0.0.0.0"}, "BOTPLATFORM_EVENTS_TOKEN"),
        ({"MQTT_CERT_FILE": __file__}, "MQTT_KEY_FILE"),
        ({"MQTT_KEY_FILE": __file__}, "MQTT_CERT_FILE"),
    ],
)
def test_what_is_missing_given_the_rest_is_named(given: dict[str, str], missing: str) -> None:
    assert missing in complaint(**given)


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = complaint(
        BOTPLATFORM_PORT="http", MQTT_VERSION="4", BOTPLATFORM_RECIPIENTS="owner", SLACK_BOT_TOKEN="xoxb-1"
    )

    for name in ("BOTPLATFORM_PORT is 'http'", "MQTT_VERSION is '4'", "BOTPLATFORM_RECIPIENTS", "SLACK_SIGNING_SECRET"):
        assert name in said


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_shown_neither_by_repr_nor_by_any_message(name: str) -> None:
    given = dict.fromkeys(SECRETS, "mqtt://user:hunter2@broker")
    assert "hunter2" not in repr(Settings.read(given))

    wrong = {**dict.fromkeys(SECRETS, "hunter2"), "BOTPLATFORM_PORT": "http"}
    assert "hunter2" not in complaint(**wrong)
    assert "hunter2" not in complaint(**{name: "hunter2", "MQTT_VERSION": "4"})


def test_every_setting_that_opens_a_door_is_a_secret() -> None:
    assert {"BOTPLATFORM_EVENTS_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN", "MQTT_URL"} < set(SECRETS)
    assert {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} < set(SECRETS)


def test_settings_do_not_change_with_the_mapping_they_came_from() -> None:
    given = {"AWS_PROFILE": "bot"}
    settings = Settings.read(given)
    given.clear()

    assert settings.sends_texts


def test_the_example_in_the_repository_is_up_to_date() -> None:
    assert (ROOT / ".env.example").read_text() == example()


def test_the_example_is_as_if_nothing_were_set() -> None:
    assert all(not line or line.startswith("#") for line in example().splitlines())
    assert [name for name, _ in settings_in(example())] == [setting.name for setting in declared()]


def test_what_the_example_says_is_read_as_the_defaults() -> None:
    assert parsed(dict(settings_in(example()))) == parsed({})
