"""The command line, as somebody at a terminal or a script sees it."""

from __future__ import annotations

import gzip
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from botplatform import scaffold
from botplatform.cli import command, main
from botplatform.hosts.local import simulate
from botplatform.hosts.local.development import slack_secret
from botplatform.hosts.local.platform import Platform
from botplatform.sources.slack import signature
from tests.hosts.local.process import PYTHON, Process
from tests.hosts.local.running import configured, log, request, running, written
from tests.mosquitto import eventually

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
PLUGINS = {path.stem: path.read_text() for path in (ROOT / "plugins").glob("*.py")}
COUNTER = '''"""Counts."""

from botplatform import Context, slack


@slack.command("/count")
def count(ctx: Context) -> str:
    number = ctx.state.get("count", 0) + 1
    ctx.state["count"] = number
    return str(number)
'''

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(tmp_path_factory.mktemp("platform"), PLUGINS) as platform:
        yield platform


def at(platform: Platform) -> dict[str, str]:
    """The settings with which commands find a platform."""
    return {"BOTPLATFORM_STATE": str(platform.settings.state)}


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


# Help, and what can go wrong anywhere.


@pytest.mark.parametrize("command", [*main.commands, "schedule next"])
def test_every_command_says_what_it_is_for(cli: Run, command: str) -> None:
    shown = cli(*command.split(), "--help")
    assert (shown.exit_code, "Usage:" in shown.output, cli(*command.split(), "-h").output) == (0, True, shown.output)


@pytest.mark.parametrize("name", main.commands)
def test_the_list_says_of_each_command_what_the_command_says_itself(name: str) -> None:
    shown = [at.get_short_help_str(limit) for at in (main.commands[name], command(name)) for limit in (30, 62)]
    assert shown[:2] == shown[2:]


def test_help_imports_no_command() -> None:
    asked = "import sys; from botplatform.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert not [name for name in done.stdout.split() if name.startswith("botplatform.cli.")]


def test_python_runs_it_as_a_module() -> None:
    done = subprocess.run([*PYTHON, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "botplatform 0.1.0\n"


FORESEEN: dict[str, tuple[list[str], dict[str, str], str]] = {
    "a port that is none": (["run", "--port", "http"], {}, "BOTPLATFORM_PORT is 'http': wanted a port"),
    "no plugin folder": (["run", "--plugins", "nowhere"], {}, "the plugin folder nowhere does not exist"),
    "a state folder that is a file": (["run", "--state", "file"], {}, "the state folder file cannot be written"),
    "no samples": (["demo"], {}, "fixtures/samples.json: cannot be read: No such file or directory"),
    "nobody there": (["send", str(EVENTS / "slack/help.form"), "--url", "http://127.0.0.1:1"], {}, "nobody answers at"),
    "no URL": (["send", str(EVENTS / "slack/help.form"), "--url", "somewhere"], {}, "nobody answers at somewhere"),
    "no broker there": (
        ["send", str(EVENTS / "mqtt/washing-machine.json")],
        {"MQTT_URL": "mqtt://127.0.0.1:1"},
        "the broker at mqtt://127.0.0.1:1 does not take it",
    ),
    "only Amazon can sign": (
        ["send", str(EVENTS / "alexa/launch.json")],
        {"ALEXA_SKILL_ID": "amzn1.ask.skill.1"},
        "only Amazon can sign for the skill in ALEXA_SKILL_ID",
    ),
    "no file to send": (["send", "nothing.json"], {}, "nothing.json: cannot be read: No such file or directory"),
    "nobody's file": (["send", "file"], {}, "no source recognizes this (a)"),
    "no file to read": (["normalize", "nothing.json"], {}, "nothing.json: cannot be read: No such file or directory"),
    "no such source": (["normalize", "file", "--source", "fax"], {}, "there is no source 'fax'; there are slack,"),
    "no log": (["events"], {}, "there is no log in .botplatform yet: start the platform with `botplatform run`"),
    "no words": (["logs"], {}, "there is no log in .botplatform yet: start the platform with `botplatform run`"),
    "a folder for a log": (["events"], {"BOTPLATFORM_STATE": "strange"}, "the state cannot be "),
    "no plugin name": (["new", "Too-Hot", "--on", "mqtt.topic"], {}, "'Too-Hot' is no plugin name: lower-case"),
    "nothing to listen to": (["new", "a", "--on", "fax.page"], {}, "'fax.page'; there are slack.command,"),
    "no such minute": (["schedule", "next", "cron(61 * * * ? *)"], {}, "minutes: '61' is not in 0-59"),
    "no such zone": (["schedule", "next", "rate(1 day)", "--timezone", "Mars"], {}, "unknown time zone 'Mars'"),
    "no time": (["schedule", "next", "rate(1 day)", "--after", "noon"], {}, "'noon' is no ISO 8601 time"),
}


@pytest.mark.parametrize(("arguments", "settings", "sentence"), FORESEEN.values(), ids=FORESEEN)
def test_what_goes_wrong_is_said_in_a_sentence(
    tmp_path: Path, cli: Run, arguments: list[str], settings: dict[str, str], sentence: str
) -> None:
    (tmp_path / "file").write_text('{"a": 1}')
    (tmp_path / "strange" / "state.db").mkdir(parents=True)
    result = cli(*arguments, **settings)
    assert (result.exit_code > 0, sentence in result.stderr, "Traceback" in result.output) == (True, True, False)


def test_all_wrong_settings_are_named_at_once_and_no_secret_is_shown(cli: Run) -> None:
    result = cli(
        "run", BOTPLATFORM_PORT="x", MQTT_URL="http://user:s3cret@host", MQTT_VERSION="6", SLACK_BOT_TOKEN="xoxb-s3cret"
    )
    named = [line.split()[0].rstrip(":") for line in result.stderr.splitlines()[1:]]
    assert (result.exit_code, sorted(named), "s3cret" in result.output) == (
        1,
        ["BOTPLATFORM_PORT", "MQTT_URL", "MQTT_VERSION", "SLACK_SIGNING_SECRET"],
        False,
    )


def test_settings_are_read_from_dotenv_under_the_environment_and_the_options(tmp_path: Path, cli: Run) -> None:
    (tmp_path / ".env").write_text("BOTPLATFORM_PORT=dotenv\nMQTT_PORT=dotenv\nMQTT_VERSION=dotenv\n")
    result = cli("run", "--port", "option", BOTPLATFORM_PORT="environment", MQTT_PORT="environment")
    for named in ("BOTPLATFORM_PORT is 'option'", "MQTT_PORT is 'environment'", "MQTT_VERSION is 'dotenv'"):
        assert named in result.stderr


def test_there_is_colour_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    written(tmp_path, {"counter": COUNTER})
    command = [*PYTHON, "plugins"]
    piped = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True).stdout
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb") as terminal:
        subprocess.run(command, cwd=tmp_path, stdout=theirs, timeout=60, check=True)
        os.close(theirs)
        shown = terminal.readline()
    assert (b"\x1b" in piped, b"\x1b[1mcounter\x1b[0m: Counts." in shown) == (False, True)


# run


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_run_says_where_it_is_stops_cleanly_and_finds_its_state_again(tmp_path: Path, how: signal.Signals) -> None:
    written(tmp_path, {"counter": COUNTER})
    for number in ("1", "2"):
        process = Process(tmp_path)
        url = process.started()
        command = simulate.slack_command("/count")
        signed = signature.sign(slack_secret(configured(tmp_path)), command, datetime.now(UTC))
        assert request(f"{url}/slack", command, signed).json["text"] == number
        assert process.end(how) == 0, process.log.read_text()
    said = process.log.read_text()
    for line in ("botplatform is up", f"console  {url}/console/", "plugins  counter", "stopping …"):
        assert line in said
    assert "Traceback" not in said
    assert "\x1b" not in said


def test_run_says_that_its_state_is_in_use(platform: Platform, tmp_path: Path) -> None:
    done = subprocess.run(
        [*PYTHON, "run"], cwd=tmp_path, env={**os.environ, **at(platform)}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is in use by another platform (process " in done.stderr


# demo


@pytest.fixture
def samples(tmp_path: Path) -> list[dict[str, Any]]:
    """The first two samples, in a project of their own."""
    for folder in ("events", "plugins", "fixtures"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    file = tmp_path / "fixtures" / "samples.json"
    first: list[dict[str, Any]] = json.loads(file.read_text())[:2]
    file.write_text(json.dumps(first))
    return first


def test_the_demo_fails_when_a_sample_does_something_else(
    tmp_path: Path, cli: Run, samples: list[dict[str, Any]]
) -> None:
    samples[1]["events"][0]["handlers"]["too_hot.warn"]["effects"][0][3] = "It is cold."
    (tmp_path / "fixtures" / "samples.json").write_text(json.dumps(samples))
    result = cli("demo")
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "2 samples, 1 wrong")
    assert '"It is cold."' in result.output


@pytest.mark.usefixtures("samples")
def test_the_demo_is_json_for_scripts_and_its_state_may_be_kept(tmp_path: Path, cli: Run) -> None:
    result = cli("demo", "--json", "--keep", tmp_path / "kept")
    steps = json_lines(result.output)
    assert [(step["file"], step["wrong"]) for step in steps] == [
        ("mqtt/kitchen-temperature.json", []),
        ("mqtt/attic-too-hot.json", []),
    ]
    assert len(json_lines(cli("events", "--json", BOTPLATFORM_STATE=str(tmp_path / "kept")).output)) == 2


# send


@pytest.mark.parametrize(
    ("file", "received"),
    [
        ("slack/temp-of-nowhere.form", "slack 200 Usage: /temp {room}"),
        ("slack/url-verification.json", "slack 200 sample-challenge"),
        ("alexa/stop.json", "alexa 200 Goodbye."),
        ("mqtt/front-door-reports.json", "mqtt published"),
        ("cloudtrail/an-ordinary-hour.json.gz", "cloudtrail 202"),
        ("cloudtrail/root-asks-who-it-is.awslogs.json", "cloudtrail 202"),
        ("schedule/nobody-listens.json", "schedule 202"),
        ("cloudevents/order-created.json", "cloudevents 202"),
        ("cloudevents/batch.json", "cloudevents 202"),
    ],
)
def test_a_file_goes_through_its_real_door(cli: Run, platform: Platform, file: str, received: str) -> None:
    result = cli("send", EVENTS / file, **at(platform))
    assert (result.exit_code, result.output.startswith(f"{EVENTS / file}: {received}")) == (0, True)


def test_a_file_sent_twice_is_the_same_event_twice_except_for_mqtt(cli: Run, platform: Platform) -> None:
    def readings() -> int:
        return len([entry for entry in log(platform) if entry["subject"] == json.loads(reading.read_text())["topic"]])

    reading = EVENTS / "mqtt/kitchen-temperature.json"
    before = readings()
    assert cli("send", EVENTS / "slack/lock-front-door.form", reading, "--times", "3", **at(platform)).exit_code == 0
    eventually(lambda: readings() == before + 3)
    assert [entry["deliveries"] for entry in log(platform) if entry["subject"] == "/lock"] == [3]


def test_what_the_platform_refuses_is_said_and_the_rest_goes_on(tmp_path: Path, cli: Run, platform: Platform) -> None:
    forged = tmp_path / "forged.json"
    forged.write_text('{"specversion": "1.0", "id": "1", "source": "/me", "type": "com.slack.command"}')
    result = cli("send", forged, EVENTS / "slack/url-verification.json", **at(platform))
    refused, accepted = result.output.splitlines()
    assert (result.exit_code, accepted.endswith("slack 200 sample-challenge")) == (1, True)
    assert "400 type: an event of type com.slack.command has to come from slack itself, signed" in refused


def test_a_file_that_is_no_event_is_named_and_the_rest_goes_on(tmp_path: Path, cli: Run, platform: Platform) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("not json")
    result = cli("send", broken, EVENTS / "slack/url-verification.json", **at(platform))
    assert (result.exit_code, f"{broken}: not JSON" in result.stderr) == (1, True)
    assert result.stdout.endswith("slack 200 sample-challenge\n")


# normalize


def test_events_come_out_in_the_order_they_went_in(cli: Run) -> None:
    files = [EVENTS / "cloudevents/batch.json", EVENTS / "cloudtrail/an-ordinary-hour.json.gz"]
    result = cli("normalize", *files, EVENTS / "slack/help.form")
    events = json_lines(result.stdout)
    hour = json.loads(gzip.decompress(files[1].read_bytes()))["Records"]
    assert [event["id"] for event in events] == [
        "reading-0",
        "reading-1",
        *(record["eventID"] for record in hour),
        "70005.80005.sample5",
    ]
    assert (result.exit_code, {event["specversion"] for event in events}) == (0, {"1.0"})


def test_what_is_no_event_is_one_line_with_its_place_and_the_rest_goes_on(tmp_path: Path, cli: Run) -> None:
    record = '{"eventID": "%s", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser"}'
    (tmp_path / "records.json").write_text(f'{{"Records": [{record % 1}, {{"eventID": "2"}}, {record % 3}]}}')
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b"{}")[:-5])
    result = cli("normalize", "cut.json.gz", "records.json", EVENTS / "slack/help.form")
    assert [event["id"] for event in json_lines(result.stdout)] == ["1", "3", "70005.80005.sample5"]
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        [
            "cut.json.gz: the gzip file ends too early: it was cut off, send it again",
            "records.json: $.Records[1]: no CloudTrail record: eventSource, eventName missing",
        ],
    )


def test_standard_input_is_read_for_a_dash(cli: Run) -> None:
    result = cli("normalize", "-", stdin=(EVENTS / "cloudtrail/an-ordinary-hour.json.gz").read_bytes())
    assert (result.exit_code, len(json_lines(result.stdout))) == (0, 3)


def test_a_source_may_be_named(tmp_path: Path, cli: Run) -> None:
    (tmp_path / "file").write_text('{"topic": "a", "payload": 1}')
    assert json_lines(cli("normalize", "file").stdout)[0]["type"] == "org.mqtt.message"
    assert cli("normalize", "file", "--source", "slack").stderr.startswith("file: no Slack payload")


# plugins


def test_plugins_are_listed_with_what_they_listen_to_and_may_do(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, PLUGINS)
    result = cli("plugins")
    assert result.exit_code == 0
    assert "too_hot: Texts the owner when a room gets hotter than 30 °C, at most once an hour" in result.output
    assert "    mqtt        sensors/{room}/temperature                  warn\n    may         text\n" in result.output


def test_plugins_are_json_for_scripts(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, {"too_hot": PLUGINS["too_hot"]})
    [plugin] = json_lines(cli("plugins", "--json").stdout)
    assert (plugin["plugin"], plugin["file"], plugin["uses"]) == ("too_hot", "plugins/too_hot.py", ["text"])
    assert plugin["listens"] == [{"source": "mqtt", "to": "sensors/{room}/temperature", "handler": "too_hot.warn"}]


def test_what_the_plugins_may_do_on_aws_is_listed(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, {"too_hot": PLUGINS["too_hot"]})
    assert "sns:Publish" in cli("plugins", "--permissions").output
    told = json_lines(cli("plugins", "--permissions", "--json").stdout)
    assert (told[0]["function"], told[0]["plugins"]) == ("too_hot", ["too_hot"])
    assert any("sns:Publish" in may["actions"] for may in told[0]["may"])


def test_a_mistake_in_a_plugin_is_said_and_keeps_no_other_out(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, {"counter": COUNTER, "wrong": "from botplatform import slak\n"})
    result = cli("plugins")
    assert (result.exit_code, result.stdout.startswith("counter: Counts.")) == (1, True)
    assert result.stderr.startswith("plugins/wrong.py:1: ")


# events


def test_the_log_is_shown_oldest_first_with_what_became_of_each_event(cli: Run, platform: Platform) -> None:
    cli("send", EVENTS / "slack/help.form", EVENTS / "cloudevents/order-created.json", **at(platform))
    eventually(lambda: log(platform)[-1]["subject"] == "1001" or log(platform)[-1]["subject"] == "/help")
    result = cli("events", **at(platform))
    lines = result.output.splitlines()
    assert len([line for line in lines if "com.slack.command /help" in line and "help.answer in " in line]) == 1
    assert len([line for line in lines if "order.created 1001" in line and "no handler listens to it" in line]) == 1
    numbers = [int(line.split()[0]) for line in lines]
    assert (result.exit_code, numbers) == (0, sorted(numbers))


def test_the_latest_events_are_json_for_scripts(cli: Run, platform: Platform) -> None:
    entries = json_lines(cli("events", "--json", "-n", "2", **at(platform)).output)
    assert entries == log(platform)[-2:]


def test_the_log_is_followed_until_ctrl_c(cli: Run, platform: Platform) -> None:
    cli("send", EVENTS / "slack/help.form", **at(platform))
    command = [*PYTHON, "events", "--follow", "--json", "-n", "0"]
    following = subprocess.Popen(command, env={**os.environ, **at(platform)}, stdout=subprocess.PIPE, text=True)
    assert following.stdout
    with following.stdout as shown, ThreadPoolExecutor() as others:
        line = others.submit(shown.readline)
        while not line.done():
            happen(platform)
            wait([line], timeout=0.2)  # no more of them than the pipe holds: nobody reads the rest
        following.send_signal(signal.SIGINT)
        assert (following.wait(timeout=60), json.loads(line.result())["type"]) == (0, "com.example.followed")


def happen(platform: Platform) -> None:
    """Have a new event in the log."""
    event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "/tests", "type": "com.example.followed"}
    request(f"{platform.url}/events", json.dumps(event).encode())


# logs


def test_what_the_platform_says_is_kept_and_shown(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, {"counter": COUNTER, "wrong": "from botplatform import slak\n"})
    process = Process(tmp_path)
    url = process.started()
    process.end(signal.SIGTERM)
    shown = cli("logs", BOTPLATFORM_STATE=str(tmp_path / "state"))
    assert (shown.exit_code, f"serving {url}" in shown.output) == (0, True)
    assert cli("logs", "-n", "0", BOTPLATFORM_STATE=str(tmp_path / "state")).output == ""


# explain


def test_an_event_is_explained(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, PLUGINS)
    result = cli("explain", EVENTS / "mqtt/front-door-reports.json")
    assert result.exit_code == 0
    assert "    door_lock.report handles it\n" in result.output
    why = "topic 'locks/front-door/state' does not fit 'sensors/+/temperature'"
    assert f"    too_hot.warn does not (sensors/{{room}}/temperature): {why}\n" in result.output


def test_an_event_nobody_handles_is_explained_with_the_handler_to_write(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, {"counter": COUNTER})
    result = cli("explain", EVENTS / "slack/unknown-command.form")
    assert 'counter.count does not (/count): subject is "/coffee", wanted "/count"' in result.output
    assert "    no handler; one would be:\n        @slack.command(" in result.output


def test_explanations_are_json_for_scripts_and_bad_files_are_said(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, {"counter": COUNTER})
    result = cli("explain", "--json", EVENTS / "mqtt/washing-machine.json", "nothing.json")
    [told] = json_lines(result.stdout)
    assert (told["type"], told["handlers"], told["others"][0]["handler"]) == ("org.mqtt.message", [], "counter.count")
    assert (result.exit_code, result.stderr) == (1, "nothing.json: cannot be read: No such file or directory\n")


# new


def test_a_starter_of_every_kind_loads_and_its_test_passes(cli: Run, tmp_path: Path) -> None:
    for number, kind in enumerate(scaffold.STARTERS):
        result = cli("new", f"starter_{number}", "--on", kind)
        assert result.output.splitlines() == [
            f"wrote plugins/starter_{number}.py and tests/plugins/test_starter_{number}.py",
            f"try it: python -m pytest tests/plugins/test_starter_{number}.py",
        ]
    assert cli("plugins").exit_code == 0
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/plugins"]
    done = subprocess.run(pytest_, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert f"{len(scaffold.STARTERS)} passed" in done.stdout, done.stdout


def test_a_plugin_that_is_there_is_not_overwritten(cli: Run, tmp_path: Path) -> None:
    written(tmp_path, {"counter": COUNTER})
    result = cli("new", "counter", "--on", "mqtt.topic")
    assert (result.exit_code, "counter.py is there already" in result.stderr) == (1, True)
    assert (tmp_path / "plugins" / "counter.py").read_text() == COUNTER
    assert not (tmp_path / "tests").exists()


# schedule


def test_the_next_instants_are_those_of_the_oracle(cli: Run, shared_data: Path) -> None:
    rows = json_lines((shared_data / "oracles/cron/beemhq-next.jsonl").read_text())
    for row in rows[:12]:
        count = str(len(row["next"]))
        result = cli("schedule", "next", f"cron({row['expr']})", "--after", row["from"], "-n", count)
        assert result.output.splitlines() == row["next"]


@pytest.mark.parametrize(
    ("expression", "options", "shown"),
    [
        # The instant after which one looks is not among them.
        ("cron(0 7 * * ? *)", ["--after", "2026-01-05T07:00:00Z"], "2026-01-06T07:00:00Z"),
        ("cron(0 7 * * ? *)", ["--after", "2026-01-05T07:00"], "2026-01-06T07:00:00Z"),
        ("cron(0 7 * * ? *)", ["--after", "2026-01-05T06:59:59Z"], "2026-01-05T07:00:00Z"),
        ("rate(5 minutes)", ["--after", "2026-01-05T07:00:00Z"], "2026-01-05T07:05:00Z"),
        (
            "cron(30 2 * * ? *)",
            ["--after", "2026-03-28T12:00:00Z", "--timezone", "Europe/Berlin"],
            "2026-03-30T00:30:00Z",
        ),
    ],
)
def test_the_next_instant_is_after_the_given_one_in_the_given_zone(
    cli: Run, expression: str, options: list[str], shown: str
) -> None:
    assert cli("schedule", "next", expression, "-n", "1", *options).output == f"{shown}\n"


def test_without_an_instant_one_looks_from_now_on(cli: Run) -> None:
    result = cli("schedule", "next", "rate(1 minute)")
    instants = [datetime.fromisoformat(line) for line in result.output.splitlines()]
    assert (len(instants), instants[0] > datetime.now(UTC).replace(second=0, microsecond=0)) == (5, True)
