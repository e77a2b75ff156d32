"""`botplatform events` with filters, and `botplatform event`, one event's whole story."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from botplatform.hosts.local.platform import Platform
from tests.cli.conftest import Run
from tests.handlers import happened
from tests.hosts.local.process import PYTHON
from tests.hosts.local.running import log, running
from tests.mosquitto import eventually

DOORS = '''"""Counts what doors do."""
from botplatform import Context, Event, Rejected, Reply, cloudevents

USES = ["text"]

@cloudevents.event("com.example.door")
def count(event: Event, ctx: Context) -> Reply:
    ctx.state.set("last", event.subject)
    ctx.state["count"] = ctx.state.get("count", 0) + 1
    ctx.text("owner", "A door moved.", once_per="1h")
    return Reply("counted")

@cloudevents.event("com.example.window")
def refuse(event: Event) -> None:
    raise Rejected("windows are not doors")
'''


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that saw a door twice, a window, something nobody listens to, and something that is no event."""
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, {"doors": DOORS}, BOTPLATFORM_RECIPIENTS="owner=+15550100") as platform:
        for number, kind in enumerate(("door", "door", "window", "chimney")):
            cause = {"causationid": "0", "handlerchain": "porch.see doors.count"} if number == 1 else {}
            platform.dispatcher.submit(
                happened(f"event-{number}", type=f"com.example.{kind}", subject=f"{kind}-{number}", extensions=cause)
            )
            eventually(partial(is_logged, platform, number + 1))
        platform.store.log.reject("mqtt", "not JSON")
        eventually(lambda: len(log(platform)) == 5 and not platform.busy())
        yield platform


def is_logged(platform: Platform, number: int) -> bool:
    return platform.store.log.event(number) is not None


@pytest.fixture
def told(cli: Run, platform: Platform) -> Callable[..., str]:
    """What a command prints about that platform."""

    def run(*arguments: str) -> str:
        result = cli(*arguments, BOTPLATFORM_STATE=str(platform.settings.state))
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    return run


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("--source /tests", [1, 2, 3, 4]),
        ("--source mqtt", [5]),
        ("--type com.example.door", [1, 2]),
        ("--type *.window", [3]),
        ("--subject *-[13]", [2, 4]),
        ("--handler doors.count", [1, 2]),
        ("--verdict unmatched", [4]),
        ("--verdict rejected", [5]),
        ("--verdict dead", [3]),
        ("--verdict done --handler doors", [1, 2]),
        ("--verdict done --handler doors.refuse", []),
        ("--text CHIMNEY-3", [4]),
        ("--text JSON", [5]),
        ("--from 1h", [1, 2, 3, 4, 5]),
        ("--to yesterday", []),
        ("--type com.example -n 2", [3, 4]),
    ],
)
def test_only_events_that_fit_are_shown(told: Callable[..., str], filters: str, numbers: list[int]) -> None:
    shown = told("events", *filters.split())
    assert [int(line.split()[0]) for line in shown.splitlines()] == numbers


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--from", "noon"], "'noon' is no time: write"),
        (["--verdict", "gone"], "'gone' is not one of"),
    ],
)
def test_a_filter_that_cannot_be_is_said(cli: Run, wrong: list[str], sentence: str) -> None:
    result = cli("events", *wrong)
    assert (result.exit_code, sentence in result.stderr) == (2, True)


def test_an_event_tells_its_whole_story(told: Callable[..., str]) -> None:
    lines = told("event", "1").splitlines()
    assert lines[0] == "1  com.example.door door-0"
    assert lines[1].endswith(" accepted")
    assert '      "subject": "door-0"' in lines
    assert [line for line in lines if re.fullmatch(r"doors.count  done, at .{23}, took \d+\.\d ms", line)]
    assert '    state     last: nothing -> "door-0"' in lines
    assert "    state     count: nothing -> 1" in lines
    assert '    reply     {"text":"counted"}' in lines
    [effect] = [line for line in lines if line.startswith("    effect    text performed at ")]
    assert '"body":"A door moved."' in effect


def test_it_tells_what_led_to_it_and_what_was_held_back(told: Callable[..., str]) -> None:
    lines = told("event", "event-1").splitlines()
    assert {"    caused by 0", "    by way of porch.see > doors.count"} <= {*lines}
    assert "    state     count: 1 -> 2" in lines
    assert "    withheld  text to owner: at most one in 1 h" in lines


def test_a_dead_letter_and_a_rejected_input_tell_why(told: Callable[..., str]) -> None:
    assert "doors.refuse  dead: windows are not doors" in told("event", "3").splitlines()
    assert told("event", "5").splitlines()[1].endswith(" rejected: not JSON")


def test_a_story_is_json_for_scripts(told: Callable[..., str]) -> None:
    [entry] = [json.loads(line) for line in told("event", "1", "--json").splitlines()]
    assert (entry["envelope"]["id"], entry["handlers"][0]["reply"]) == ("event-0", {"text": "counted"})


@pytest.mark.parametrize("event", ["99", "nobody", str(10**30)])
def test_an_event_that_is_not_there_is_said(cli: Run, platform: Platform, event: str) -> None:
    result = cli("event", event, BOTPLATFORM_STATE=str(platform.settings.state))
    assert (result.exit_code, f"there is no event {event} in the log" in result.stderr) == (1, True)


def test_what_strangers_write_cannot_speak_to_the_terminal(tmp_path: Path, cli: Run) -> None:
    with running(tmp_path, {}) as platform:
        platform.dispatcher.submit(happened(subject="\x1b]0;owned\x07"))
        eventually(lambda: log(platform))
    assert "\x1b" not in cli("event", "1", BOTPLATFORM_STATE=str(tmp_path / "state")).output


def test_an_event_that_is_given_up_is_followed_then(tmp_path: Path) -> None:
    with running(tmp_path, {"doors": DOORS}) as platform:
        environment = {**os.environ, "BOTPLATFORM_STATE": str(platform.settings.state)}
        command = [*PYTHON, "events", "--follow", "--json", "--verdict", "dead"]
        platform.dispatcher.submit(happened("0", type="com.example.window"))
        eventually(lambda: platform.store.inbox.size() == (0, 1))
        following = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert following.stdout
        with following.stdout as shown, ThreadPoolExecutor() as others:
            assert json.loads(shown.readline())["id"] == "0"
            line = others.submit(shown.readline)
            for number, kind in enumerate(("door", "window"), 1):
                platform.dispatcher.submit(happened(str(number), type=f"com.example.{kind}"))
            assert json.loads(line.result(60))["id"] == "2"
            following.send_signal(signal.SIGINT)
            assert following.wait(timeout=60) == 0


def test_settings_of_nowhere_have_no_event(cli: Run) -> None:
    result: Any = cli("event", "1")
    assert (result.exit_code, "there is no log in .botplatform yet" in result.stderr) == (1, True)
