"""`botplatform replay` and `debug`: past events once more, as somebody at a terminal or a script sees it."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from botplatform.hosts.local.platform import Platform
from tests.handlers import happened
from tests.hosts.local.process import PYTHON
from tests.hosts.local.running import log, running, state, written
from tests.mosquitto import eventually

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Result]

METER = '''"""Adds up, and warns."""

from botplatform import Context, Event, cloudevents

USES = ["text"]


@cloudevents.event("com.example.happened")
def add(event: Event, ctx: Context) -> str:
    ctx.state["sum"] = ctx.state.get("sum", 0) + event.data
    if event.data > 5:
        ctx.text("+15550100", f"{event.data}!")
    return f"{ctx.state['sum']} in all"
'''
NEWER = METER.replace("+ event.data", "+ 100 * event.data")
BUGGY = METER.replace("return f", "return {}['x']  # f")


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where a platform handled 1, 2 and 7, heard something nobody knows, and was stopped."""
    folder = tmp_path_factory.mktemp("past")
    with running(folder, {"meter": METER}) as platform:
        handle(platform, [1, 2, 7])
        platform.dispatcher.submit(happened("stray", type="com.example.other"))
        platform.store.log.reject("slack", "no form")
        log(platform)
    return folder


@pytest.fixture
def home(past: Path, tmp_path: Path) -> dict[str, str]:
    """A copy of that folder, as the settings with which commands find it."""
    shutil.copytree(past, tmp_path, dirs_exist_ok=True)
    return at(tmp_path)


@pytest.fixture
def platform(home: dict[str, str], tmp_path: Path) -> Iterator[Platform]:
    """The platform of that folder, running."""
    assert home
    with running(tmp_path, {}) as platform:
        yield platform


def at(folder: Path) -> dict[str, str]:
    """The settings with which commands find that platform."""
    return {"BOTPLATFORM_STATE": str(folder / "state"), "BOTPLATFORM_PLUGINS": str(folder / "plugins")}


def handle(platform: Platform, readings: list[int]) -> None:
    for reading in readings:
        platform.dispatcher.submit(happened(f"reading {reading}", data=reading))
        settle(platform)


def settle(platform: Platform) -> None:
    eventually(lambda: not platform.busy())


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


# A dry run.


def test_a_dry_run_shows_what_would_come_of_events_one_after_the_other(cli: Run, home: dict[str, str]) -> None:
    shown = cli("replay", "1", "reading 7", "--dry-run", **home)

    assert shown.exit_code == 0
    lines = [line.split("  2")[0].strip() for line in shown.stdout.splitlines() if "took" not in line]
    assert lines == [
        "1  com.example.happened",
        "state     sum: 10 -> 11",
        'reply     {"text":"11 in all"}',
        "3  com.example.happened",
        "state     sum: 11 -> 18",
        'effect    text not performed {"to":"+15550100","body":"7!"}',
        'reply     {"text":"18 in all"}',
        "2 events, 2 handled, 0 failed, 1 text asked for",
    ]


def test_a_dry_run_changes_nothing_and_logs_nothing(cli: Run, home: dict[str, str], tmp_path: Path) -> None:
    before = cli("events", "--json", **home).stdout
    cli("replay", "--from", "1h", "--dry-run", **home)

    assert cli("events", "--json", **home).stdout == before
    with running(tmp_path, {}) as platform:
        assert state(platform, "meter") == {"sum": 10}


def test_a_dry_run_as_of_an_event_begins_with_the_state_before_it(cli: Run, home: dict[str, str]) -> None:
    shown = cli("replay", "2", "3", "--dry-run", "--as-of", "--json", **home)

    changes = [event["handlers"][0]["changes"] for event in json_lines(shown.stdout)]
    assert changes == [
        [{"plugin": "meter", "key": "sum", "before": 1, "after": 3}],
        [{"plugin": "meter", "key": "sum", "before": 3, "after": 10}],
    ]


def test_a_new_plugin_is_tried_on_past_events(cli: Run, home: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path, {"newer": NEWER})
    shown = cli("replay", "--from", "1h", "--handler", "newer.add", "--dry-run", **home)

    assert "sum: 300 -> 1000" in shown.stdout
    assert shown.stdout.endswith("3 events, 3 handled, 0 failed, 1 text asked for\n")
    assert shown.stderr.splitlines() == [
        "left out 1 that were rejected when they came",
        "left out 1 to which newer.add does not listen",
    ]


def test_a_dry_run_tells_what_fails_and_where_and_exits_with_1(cli: Run, home: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path, {"meter": BUGGY})
    shown = cli("replay", "1", "--dry-run", **home)

    assert shown.exit_code == 1
    assert "KeyError: 'x' (" in shown.stdout
    assert "meter.py:13)" in shown.stdout
    assert shown.stderr == ""


def test_a_dry_run_for_scripts_is_a_line_of_json_an_event(cli: Run, home: dict[str, str]) -> None:
    (event,) = json_lines(cli("replay", "3", "--dry-run", "--json", **home).stdout)

    assert (event["number"], event["id"], event["type"]) == (3, "reading 7", "com.example.happened")
    assert [handler["status"] for handler in event["handlers"]] == ["done"]


# For real.


def test_a_running_platform_replays_at_once(cli: Run, platform: Platform) -> None:
    (done,) = json_lines(cli("replay", "2", "--yes", "--json", **at(platform.settings.state.parent)).stdout)
    settle(platform)

    assert done["number"] == 2
    assert [(e["id"], e["replay_of"]) for e in log(platform)][-1] == (done["id"], "reading 2")
    assert state(platform, "meter") == {"sum": 12}
    assert "(replay of reading 2)" in cli("events", **at(platform.settings.state.parent)).stdout


def test_a_replay_without_effects_has_none(cli: Run, platform: Platform) -> None:
    cli("replay", "--from", "1h", "--no-effects", **at(platform.settings.state.parent))
    settle(platform)

    assert state(platform, "meter") == {"sum": 20}
    assert len(platform.store.log.effects("text")) == 1


def test_where_none_runs_the_next_one_to_start_replays(cli: Run, home: dict[str, str], tmp_path: Path) -> None:
    shown = cli("replay", "1", "2", "3", "--yes", **home)
    assert shown.stdout.startswith("3 will be replayed at the next start: ")

    with running(tmp_path, {}) as platform:
        settle(platform)
        assert state(platform, "meter") == {"sum": 20}
        assert [effect["arguments"]["body"] for effect in platform.store.log.effects("text")] == ["7!", "7!"]


def test_more_events_than_fit_into_one_request_are_replayed_in_their_order(
    cli: Run, platform: Platform, tmp_path: Path
) -> None:
    handle(platform, list(range(100, 220)))
    shown = cli("replay", "--text", '"data":1', "--no-effects", "--json", **at(tmp_path))
    settle(platform)

    copies = [entry["replay_of"] for entry in log(platform) if entry["replay_of"]]
    assert copies == ["reading 1", *(f"reading {number}" for number in range(100, 200))]
    assert [done["id"] for done in json_lines(shown.stdout)] == [e["id"] for e in log(platform) if e["replay_of"]]


def typed(answer: str, *arguments: str, **settings: str) -> tuple[str, int]:
    """What a command says to somebody at a terminal who types this, and its exit status."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(PYTHON[0], [*PYTHON, *arguments], {**os.environ, **settings})
    os.write(terminal, answer.encode())
    said = b""
    try:
        while chunk := os.read(terminal, 4096):
            said += chunk
    except OSError:
        pass  # how Linux says that the other end was closed
    os.close(terminal)
    return said.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_effects_are_repeated_only_if_somebody_says_so_who_knows_which(home: dict[str, str], tmp_path: Path) -> None:
    said, status = typed("n\n", "replay", "1", "2", "3", **home)
    assert "these 3 events had 1 text; --no-effects replays without" in said
    assert ("perform them again? [y/N]" in said, "Aborted!" in said, status) == (True, True, 1)

    said, status = typed("y\n", "replay", "1", **home)
    assert "this event had no effects, but may have some now" in said
    assert ("1 will be replayed at the next start" in said, status) == (True, 0)
    with running(tmp_path, {}) as platform:
        settle(platform)
        assert state(platform, "meter") == {"sum": 11}


# Under a debugger.


def debugged(home: dict[str, str], typed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`botplatform debug` as a process: what runs commands in tests keeps pdb away from their input."""
    command = [*PYTHON, "debug", *arguments]
    return subprocess.run(
        command, input=typed, env={**os.environ, **home}, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_past_event_is_run_under_pdb_from_the_first_line_of_its_handler(cli: Run, home: dict[str, str]) -> None:
    done = debugged(home, "p event.data + 1000\nn\np [ctx.state['sum']]\nc\n", "3")

    assert done.returncode == 0
    assert "meter.py(10)add()" in done.stdout
    assert "1007" in done.stdout
    assert "[17]" in done.stdout
    assert 'effect    text not performed {"to":"+15550100","body":"7!"}' in done.stdout
    assert "10 -> 17" in cli("replay", "3", "--dry-run", **home).stdout


def test_an_event_is_debugged_on_the_state_there_was(home: dict[str, str]) -> None:
    assert "sum: 3 -> 10" in debugged(home, "c\n", "3", "--as-of", "--handler", "meter.add").stdout


@pytest.mark.parametrize("typed", ["n\nq\n", "", "n\n"])
def test_who_leaves_the_debugger_leaves_without_a_traceback(home: dict[str, str], typed: str) -> None:
    done = debugged(home, typed, "3")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "left: nothing was done")
    assert "Traceback" not in done.stdout + done.stderr
    assert "took" not in done.stdout


# The page about it.


def commands() -> list[str]:
    """The commands in docs/replay.md."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "replay.md").read_text(), re.S)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("command", commands())
def test_commands_on_the_page_work_as_written(command: str, home: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path, {"newer": NEWER})
    environment = {**os.environ, **home, "PATH": f"{Path(PYTHON[0]).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, shell=True, env=environment, input="c\n", capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr


def test_what_a_dry_run_prints_on_the_page_is_what_it_prints(cli: Run, home: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path, {"newer": NEWER})
    shown = cli("replay", "--from", "7d", "--handler", "newer.add", "--dry-run", **home).stdout
    page = (ROOT / "docs" / "replay.md").read_text()

    for line in shown.splitlines()[-4:]:
        assert line in page


# What cannot be.


FORESEEN: dict[str, tuple[list[str], str]] = {
    "no event": (["replay"], "which events? give their numbers or ids, or filters such as --from 2h"),
    "names and filters": (["replay", "1", "--from", "1h"], "which events?"),
    "an unknown event": (["replay", "99", "--dry-run"], "there is no event 99 in the log"),
    "a rejected input": (["replay", "5", "--yes"], "5 was rejected: there is no event that could be handled again"),
    "an unknown handler": (["replay", "1", "--handler", "meter.ad", "--yes"], "there is no handler meter.ad"),
    "effects, and nobody there": (["replay", "3"], "nobody is there to be asked: say --yes to repeat their effects"),
    "a replay as of": (["replay", "3", "--as-of"], "--as-of is for a --dry-run"),
    "no time": (["replay", "--from", "soon"], "'soon' is no time"),
    "nobody to debug": (["debug", "4"], "no handler listens to event 4"),
    "another one to debug": (["debug", "4", "--handler", "meter.add"], "meter.add does not listen to event 4"),
}


@pytest.mark.parametrize("arguments", FORESEEN.values(), ids=FORESEEN)
def test_what_cannot_be_is_one_sentence(cli: Run, home: dict[str, str], arguments: tuple[list[str], str]) -> None:
    failed = cli(*arguments[0], **home)

    assert failed.exit_code != 0
    assert arguments[1] in failed.stderr
    assert "Traceback" not in failed.stderr


def test_where_no_platform_ever_ran_there_is_nothing_to_replay(cli: Run) -> None:
    assert "there is no log in .botplatform yet" in cli("replay", "1", "--dry-run").stderr
