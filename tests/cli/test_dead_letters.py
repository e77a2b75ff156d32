"""`botplatform dead-letters` on a platform that runs, on one that does not, and at a terminal."""

from __future__ import annotations

import http.client
import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from botplatform import Event
from botplatform.hosts.local.platform import Platform
from tests.cli.conftest import Run
from tests.handlers import happened
from tests.hosts.local.process import PYTHON, Process
from tests.hosts.local.running import request, running, state, written
from tests.mosquitto import eventually

PICKY = '''"""Takes what is repaired."""
from botplatform import Context, Event, Rejected, cloudevents

@cloudevents.event("com.example.happened")
def take(event: Event, ctx: Context) -> None:
    if event.data != {"repaired": True}:
        raise Rejected("not to my taste")
    ctx.state.add("taken", 1)
'''
CLOUDEVENT = {"Content-Type": "application/cloudevents+json"}
REPAIRED = '{"repaired": true}'


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with running(tmp_path, {"picky": PICKY}) as platform:
        yield platform


@pytest.fixture
def letters(cli: Run, platform: Platform) -> Callable[..., Any]:
    """Runs a command on dead letters of the platform."""
    where = {"BOTPLATFORM_STATE": str(platform.settings.state)}
    return lambda *arguments, **given: cli("dead-letters", *arguments, **{**where, **given})


def dead(platform: Platform, *events: Event) -> list[str]:
    """Have events given up on; returns their numbers."""
    for expected, event in enumerate(events, 1):
        platform.dispatcher.submit(event)
        eventually(lambda expected=expected: platform.store.inbox.size() == (0, expected))
    return [str(letter.number) for letter in platform.store.inbox.dead_letters()]


def taken(platform: Platform) -> int:
    return int(state(platform, "picky").get("taken", 0))


@pytest.mark.parametrize("command", ["list", "show", "retry", "edit", "drop"])
def test_each_command_says_what_it_is_for(cli: Run, command: str) -> None:
    assert "Usage:" in cli("dead-letters", command, "--help").output


def test_they_are_listed_with_what_they_are_about_and_why(letters: Run, platform: Platform) -> None:
    first, second = dead(platform, happened("1", subject="door"), happened("2", subject="window"))
    lines = letters("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [first, second]
    assert "com.example.happened door" in lines[0]
    assert lines[0].endswith("picky.take: not to my taste")


def test_they_are_json_for_scripts_and_can_be_filtered(letters: Run, platform: Platform) -> None:
    dead(platform, happened("1", subject="door"), happened("2", subject="window"))
    found = letters("list", "--json", "--subject", "win*", "--handler", "picky", "--from", "1h").stdout.splitlines()
    assert [json.loads(line)["id"] for line in found] == ["2"]
    assert letters("list", "--to", "1h").output == ""


def test_that_there_are_more_is_said(letters: Run, platform: Platform) -> None:
    dead(platform, happened("1"), happened("2"))
    result = letters("list", "-n", "1")
    assert (len(result.stdout.splitlines()), "there are more than 1: -n shows more" in result.stderr) == (1, True)


def test_one_is_shown_with_its_envelope_and_what_led_to_it(letters: Run, platform: Platform) -> None:
    [number] = dead(platform, happened(data={"a": 1}, extensions={"handlerchain": "a.b c.d", "causationid": "0"}))
    shown = letters("show", number).stdout
    for line in ("    picky.take: not to my taste", "    caused by 0", "    by way of a.b > c.d", '        "a": 1'):
        assert line in shown.splitlines()
    assert json.loads(letters("show", number, "--json").stdout)["envelope"]["data"] == {"a": 1}


def test_one_that_was_repaired_is_handled_again(letters: Run, platform: Platform, tmp_path: Path) -> None:
    [number] = dead(platform, happened(data={"a": 1}))
    (tmp_path / "data.json").write_text(REPAIRED)
    assert letters("edit", number, "--data", tmp_path / "data.json", "--retry").stdout == "1 retried\n"
    eventually(lambda: taken(platform) == 1)


def test_data_may_come_from_standard_input(letters: Run, platform: Platform) -> None:
    [number] = dead(platform, happened())
    told = letters("edit", number, "--data", "-", stdin=REPAIRED.encode()).stdout
    assert told == f"changed; `botplatform dead-letters retry {number}` has it handled again\n"
    assert json.loads(letters("retry", number, "--json").stdout) == {"done": 1}
    eventually(lambda: taken(platform) == 1)


def test_what_is_no_json_is_refused_with_its_place(letters: Run, platform: Platform) -> None:
    [number] = dead(platform, happened(data={"a": 1}))
    result = letters("edit", number, "--data", "-", stdin=b'{\n  "a": 1,\n  oops\n}')
    assert (result.exit_code, "line 3, column 3" in result.stderr) == (1, True)
    assert json.loads(letters("show", number, "--json").stdout)["envelope"]["data"] == {"a": 1}


def editor(folder: Path, *texts: str) -> str:
    """An editor whose user types these texts, one each time it is opened, and in the end nothing more."""
    for number, text in enumerate(texts):
        (folder / f"typed{number}").write_text(text)
    script = folder / "editor"
    script.write_text(
        f'#!/bin/sh\ncd {folder}\nnext=$(ls typed* 2>/dev/null | head -1)\n[ -z "$next" ] || mv "$next" "$1"\n'
    )
    script.chmod(0o755)
    return str(script)


def test_the_data_is_edited_in_ones_editor(letters: Run, platform: Platform, tmp_path: Path) -> None:
    [number] = dead(platform, happened(data={"a": 1}))
    assert letters("edit", number, "--retry", EDITOR=editor(tmp_path, REPAIRED)).stdout == "1 retried\n"
    eventually(lambda: taken(platform) == 1)


def test_an_editor_that_is_closed_changes_nothing(letters: Run, platform: Platform, tmp_path: Path) -> None:
    [number] = dead(platform, happened(data={"a": 1}))
    result = letters("edit", number, "--retry", EDITOR=editor(tmp_path))
    assert (result.exit_code, result.output) == (0, "nothing was changed\n")


def test_at_a_terminal_a_slip_may_be_mended(platform: Platform, tmp_path: Path) -> None:
    [number] = dead(platform, happened(data={"a": 1}))
    ours, theirs = pty.openpty()
    command = [*PYTHON, "dead-letters", "edit", number, "--retry"]
    environment = {
        **os.environ,
        "BOTPLATFORM_STATE": str(platform.settings.state),
        "EDITOR": editor(tmp_path, "{oops", REPAIRED),
    }
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        os.write(ours, b"y\n")
        stdout, stderr = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, stdout) == (0, "1 retried\n")
    assert "line 1, column 2" in stderr
    assert "Edit it again?" in stderr
    eventually(lambda: taken(platform) == 1)


def test_many_are_retried_only_after_somebody_said_so(letters: Run, platform: Platform) -> None:
    dead(platform, happened("1"), happened("2"))
    result = letters("retry", "--all")
    assert (result.exit_code, result.stderr) == (1, "Error: nobody is there to be asked: say --yes\n")
    before = platform.dispatcher.counts["dead letters"]
    assert letters("retry", "--all", "--yes").stdout == "2 retried\n"
    eventually(lambda: platform.dispatcher.counts["dead letters"] == before + 2)


def test_those_that_fit_are_dropped(letters: Run, platform: Platform) -> None:
    dead(platform, happened("1", subject="door"), happened("2", subject="window"))
    assert letters("drop", "--subject", "door").stdout == "1 dropped\n"
    assert platform.store.inbox.size() == (0, 1)


@pytest.mark.parametrize("chosen", [[], ["1", "--all"], ["1", "--handler", "picky"], ["--all", "--handler", "picky"]])
@pytest.mark.parametrize("act", ["retry", "drop"])
def test_which_are_meant_has_to_be_said_in_one_way(letters: Run, act: str, chosen: list[str]) -> None:
    result = letters(act, *chosen, "--yes")
    assert (result.exit_code, "which ones? give their numbers, or filters" in result.stderr) == (2, True)


@pytest.mark.parametrize("act", ["list", "retry", "drop"])
def test_a_filter_that_would_leave_nothing_out_is_not_taken(letters: Run, platform: Platform, act: str) -> None:
    dead(platform, happened())
    result = letters(act, "--verdict", "done")
    assert (result.exit_code, "--verdict" in result.stderr.splitlines()[-1]) == (2, True)
    assert platform.store.inbox.size() == (0, 1)


def test_one_that_is_gone_is_said(letters: Run) -> None:
    result = letters("retry", "99")
    assert (result.exit_code, result.stdout) == (1, "0 retried\n")
    assert "1 of 1 were not there any more" in result.stderr
    assert "there is no dead letter 99" in letters("show", "99").stderr
    assert "'x' is no number of a dead letter: `botplatform dead-letters list` shows" in letters("show", "x").stderr


def test_none_that_fit_is_no_mistake(letters: Run) -> None:
    result = letters("retry", "--all")
    assert (result.exit_code, result.stdout) == (0, "0 retried\n")


def test_many_are_dropped_with_a_bar_on_a_terminal(platform: Platform) -> None:
    dead(platform, *[happened(str(n)) for n in range(1100)])
    ours, theirs = pty.openpty()
    command = [*PYTHON, "dead-letters", "drop", "--all", "--yes"]
    environment = {**os.environ, "BOTPLATFORM_STATE": str(platform.settings.state)}
    with os.fdopen(ours, "rb") as terminal:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True, check=True)
        os.close(theirs)
        assert b"dropping" in terminal.readline()
    assert (done.stdout, platform.store.inbox.size()) == ("1100 dropped\n", (0, 0))


def test_where_no_platform_runs_it_is_done_on_its_state(tmp_path: Path, cli: Run) -> None:
    with running(tmp_path, {"picky": PICKY}) as platform:
        [number] = dead(platform, happened(data={"a": 1}))
    where = {"BOTPLATFORM_STATE": str(tmp_path / "state")}
    cli("dead-letters", "edit", number, "--data", "-", stdin=REPAIRED.encode(), **where)
    assert cli("dead-letters", "retry", number, **where).stdout == "1 put back for the next start\n"
    with running(tmp_path, {"picky": PICKY}) as platform:
        eventually(lambda: taken(platform) == 1)


@contextmanager
def process_with(folder: Path, plugin: str) -> Iterator[Process]:
    """A platform in a process of its own, which was given the event with id 1, perhaps the last it heard of."""
    written(folder, {"picky": plugin})
    process = Process(folder)
    try:
        with suppress(OSError, http.client.HTTPException):
            request(f"{process.started()}/events", happened(data={"a": 1}).to_json(), CLOUDEVENT)
        yield process
    finally:
        process.kill()


def test_what_took_the_process_down_is_handled_once_the_plugin_is_repaired(tmp_path: Path, cli: Run) -> None:
    where = {"BOTPLATFORM_STATE": str(tmp_path / "state")}
    deadly = PICKY.replace('raise Rejected("not to my taste")', "import os; os._exit(3)")
    for _ in range(3):
        with process_with(tmp_path, deadly) as process:
            assert process.end(signal.SIGCONT) == 3
    with process_with(tmp_path, deadly):
        assert "the process died 3 times" in cli("dead-letters", "list", **where).stdout
    with process_with(tmp_path, PICKY.replace("!=", "==")):
        assert cli("dead-letters", "retry", "--all", **where).stdout == "1 retried\n"
        eventually(lambda: "picky.take  done" in cli("event", "1", **where).stdout)


def test_without_a_state_it_says_how_to_begin(cli: Run) -> None:
    result = cli("dead-letters", "list")
    assert (result.exit_code, "start the platform with `botplatform run`" in result.stderr) == (1, True)
