"""Every setting, read once from a mapping that is passed in; what is wrong is said all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from os.path import isfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botplatform.aws import has_credentials
from botplatform.effects.text import read_recipients
from botplatform.errors import InvalidSettings


def _text(value: str) -> str:
    return value


def _port(value: str) -> int:
    if not value.isdigit() or not 0 <= int(value) <= 65535:
        raise ValueError("wanted a port, 0 (any free one) to 65535")
    return int(value)


def _at_least(least: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.isdigit() or int(value) < least:
            raise ValueError(f"wanted a number, {least} or more")
        return int(value)

    return parse


_count = _at_least(1)


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _file(value: str) -> str:
    if not isfile(value):
        raise ValueError("there is no such file")
    return value


def _folder(value: str) -> Path:
    return Path(value)


def _mqtt_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("mqtt", "mqtts") or not url.hostname:
        raise ValueError("wanted mqtt://user:password@host:1883 or mqtts://host:8883")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"wanted {' or '.join(choices)}")
        return value

    return parse


def _skill_ids(value: str) -> tuple[str, ...]:
    ids = _names(value)
    if not all(name.startswith("amzn1.ask.skill.") for name in ids):
        raise ValueError("wanted amzn1.ask.skill.… (the skill's id, from the Alexa developer console)")
    return ids


def _recipients(value: str) -> tuple[str, ...]:
    return tuple(read_recipients(value))


def _setting(name: str, default: Any, about: str, parse: Callable[[str], Any] = _text, *, secret: bool = False) -> Any:
    """A field of Settings: its name outside, what it is when it is not set, and what it is for."""
    metadata = {"name": name, "about": about, "parse": parse, "secret": secret}
    return field(default=default, repr=not secret, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """All settings of a host, parsed; `raw` is the mapping they came from, for effects with settings of their own."""

    state: Path = _setting("BOTPLATFORM_STATE", Path(".botplatform"), "folder that keeps the state", _folder)
    plugins: Path = _setting("BOTPLATFORM_PLUGINS", Path("plugins"), "folder with the plugins", _folder)
    block: tuple[str, ...] = _setting("BOTPLATFORM_BLOCK", (), "plugins not to load, with commas between", _names)
    host: str = _setting("BOTPLATFORM_HOST", "127.0.0.1", "address to listen on; others than 127.0.0.1 need a token")
    port: int = _setting("BOTPLATFORM_PORT", 8080, "port for HTTP; 0 takes any free one", _port)
    allowed_hosts: tuple[str, ...] = _setting(
        "BOTPLATFORM_ALLOWED_HOSTS",
        (),
        "further host names under which the console and /events may be asked for",
        _names,
    )
    events_token: str = _setting(
        "BOTPLATFORM_EVENTS_TOKEN",
        "",
        "token that whoever posts to /events sends (Authorization: Bearer …)",
        secret=True,
    )
    recipients: tuple[str, ...] = _setting(
        "BOTPLATFORM_RECIPIENTS", (), "numbers by name for texts: owner=+15550100, ops=+15550101", _recipients
    )
    in_flight: int = _setting(
        "BOTPLATFORM_IN_FLIGHT", 10_000, "events in memory at a time; beyond, sources are slowed down", _count
    )
    inbox_limit: int = _setting(
        "BOTPLATFORM_INBOX_LIMIT",
        100_000,
        "events kept for another try or as dead letters; beyond, sources are slowed down",
        _count,
    )
    outbox_limit: int = _setting(
        "BOTPLATFORM_OUTBOX_LIMIT",
        100_000,
        "effects still to be performed; beyond, sources are slowed down",
        _count,
    )
    bodies_limit: int = _setting(
        "BOTPLATFORM_BODIES_LIMIT",
        128,
        "MiB of HTTP requests in memory, from when they are read to their answer; beyond, they are refused",
        _at_least(32),
    )
    log_days: int = _setting("BOTPLATFORM_LOG_DAYS", 7, "days for which the log and the done-markers are kept", _count)
    log_limit: int = _setting(
        "BOTPLATFORM_LOG_LIMIT", 1_000_000, "events in the log; the oldest of more are forgotten", _count
    )
    chain_limit: int = _setting(
        "BOTPLATFORM_CHAIN_LIMIT",
        8,
        "how often a handler may pass in a chain of events before it counts as a loop",
        _count,
    )
    slack_signing_secret: str = _setting(
        "SLACK_SIGNING_SECRET", "", "signing secret of the Slack app (Basic Information)", secret=True
    )
    slack_bot_token: str = _setting(
        "SLACK_BOT_TOKEN", "", "bot token of the Slack app, xoxb-…, to post messages with", secret=True
    )
    slack_api_url: str = _setting("SLACK_API_URL", "", "another Slack API, for tests")
    alexa_skill_ids: tuple[str, ...] = _setting(
        "ALEXA_SKILL_ID", (), "id of the Alexa skill, amzn1.ask.skill.…", _skill_ids
    )
    mqtt_url: str = _setting(
        "MQTT_URL",
        "",
        "MQTT broker, mqtt://user:password@host:1883 or mqtts://host:8883; without it, an embedded one",
        _mqtt_url,
        secret=True,
    )
    mqtt_port: int = _setting("MQTT_PORT", 1883, "port of the embedded broker; 0 takes any free one", _port)
    mqtt_ca_file: str | None = _setting("MQTT_CA_FILE", None, "certificate authority of the broker, PEM", _file)
    mqtt_cert_file: str | None = _setting("MQTT_CERT_FILE", None, "client certificate, PEM", _file)
    mqtt_key_file: str | None = _setting("MQTT_KEY_FILE", None, "key of the client certificate, PEM", _file)
    mqtt_client_id: str = _setting(
        "MQTT_CLIENT_ID", "", "client id, for which the broker keeps a session; without one, it is made up once"
    )
    mqtt_version: str = _setting(
        "MQTT_VERSION", "5", "MQTT version the broker speaks: 5 or 3.1.1", _one_of("5", "3.1.1")
    )
    mqtt_group: str = _setting(
        "MQTT_GROUP",
        "botplatform",
        "name under which workers share the messages of a broker, each of which goes to one",
    )
    cloudtrail_folder: Path | None = _setting("CLOUDTRAIL_FOLDER", None, "folder watched for CloudTrail files", _folder)
    aws_access_key_id: str = _setting("AWS_ACCESS_KEY_ID", "", "AWS credentials: texts go out through SNS", secret=True)
    aws_secret_access_key: str = _setting("AWS_SECRET_ACCESS_KEY", "", "the secret of that key", secret=True)
    aws_session_token: str = _setting("AWS_SESSION_TOKEN", "", "the session of that key, if it has one", secret=True)
    aws_profile: str = _setting("AWS_PROFILE", "", "or a profile in ~/.aws instead of a key")
    aws_region: str = _setting("AWS_REGION", "us-east-1", "region to send texts from")
    table: str = _setting("BOTPLATFORM_TABLE", "", "DynamoDB table that keeps the state, on AWS and of workers")
    bus: str = _setting("BOTPLATFORM_BUS", "", "EventBridge bus for events that plugins emit, on AWS and of workers")
    dead_letters: str = _setting(
        "BOTPLATFORM_DEAD_LETTERS", "", "URL of the SQS queue that keeps what was given up, on AWS and of workers"
    )
    aws_endpoint_url: str = _setting("AWS_ENDPOINT_URL", "", "another AWS, for tests")
    alarm_email: str = _setting("BOTPLATFORM_ALARM_EMAIL", "", "who hears of a stage's alarms, by e-mail")
    raw: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, mapping: Mapping[str, str]) -> Settings:
        """Parse all settings; raises InvalidSettings that names every one that is missing or wrong."""
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for setting in declared():
            given = mapping.get(setting.name, "").strip()
            if not given:
                continue
            try:
                values[setting.attribute] = setting.parse(given)
            except (ValueError, InvalidSettings) as error:
                shown = "" if setting.secret else f" is {given!r}"
                wrong.append(str(error) if isinstance(error, InvalidSettings) else f"{setting.name}{shown}: {error}")
        settings = cls(**values, raw=dict(mapping))
        wrong += settings._contradictions()
        if wrong:
            raise InvalidSettings("\n".join(["these settings are wrong (.env.example documents them):", *wrong]))
        return settings

    def _contradictions(self) -> list[str]:
        """What is missing given the rest."""
        checks = (
            (bool(self.mqtt_cert_file) != bool(self.mqtt_key_file), "MQTT_CERT_FILE and MQTT_KEY_FILE go together"),
            (
                self.slack_bot_token and not self.slack_signing_secret,
                "SLACK_SIGNING_SECRET is missing: SLACK_BOT_TOKEN is set",
            ),
            (
                self.aws_access_key_id and not self.aws_secret_access_key,
                "AWS_SECRET_ACCESS_KEY is missing: AWS_ACCESS_KEY_ID is set",
            ),
            (
                self.host not in ("127.0.0.1", "::1", "localhost") and not self.events_token,
                f"BOTPLATFORM_EVENTS_TOKEN is missing: BOTPLATFORM_HOST {self.host} lets others in",
            ),
        )
        return [reason for wrong, reason in checks if wrong]

    @property
    def sends_texts(self) -> bool:
        """Whether texts really go out."""
        return has_credentials(self.raw)


@dataclass(frozen=True)
class Declared:
    """One setting as `.env.example` and the docs show it."""

    attribute: str
    name: str
    default: Any
    about: str
    parse: Callable[[str], Any]
    secret: bool


def declared() -> list[Declared]:
    """Every setting there is, in the order in which people should read them."""
    return [Declared(f.name, default=f.default, **f.metadata) for f in fields(Settings) if f.metadata]


def example() -> str:
    """The text of `.env.example`: each setting with what it is for, commented out at its default."""
    lines = ["# Copy to .env and fill in what you need; everything has a default.", ""]
    for setting in declared():
        default = ",".join(setting.default) if isinstance(setting.default, tuple) else setting.default
        lines += [f"# {setting.about[0].upper()}{setting.about[1:]}.", f"#{setting.name}={default or ''}", ""]
    return "\n".join(lines)
