"""Backup and restore, as somebody at a terminal sees them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from botplatform.store import StateKey, Write
from botplatform.stores.sqlite import SqliteStore
from botplatform.stores.sqlite.reading import reading
from tests.hosts.local.running import running

Run = Callable[..., Result]
KEY = StateKey("demo", "k")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder that no platform uses."""
    store = SqliteStore(tmp_path / "state" / "state.db")
    store.write({KEY: Write("put", b"1")})
    store.close()
    return tmp_path / "state"


def value(state: Path) -> bytes | None:
    with reading(state / "state.db") as found:
        return found.read(KEY).json


def change(state: Path, json: bytes) -> None:
    store = SqliteStore(state / "state.db")
    store.write({KEY: Write("put", json)})
    store.close()


def test_a_backup_is_restored_and_the_state_before_can_be_too(cli: Run, state: Path) -> None:
    backed_up = cli("backup", "copy.db", BOTPLATFORM_STATE=str(state))
    assert re.fullmatch(r"copy\.db: [\d,]+ bytes\n", backed_up.stdout)
    change(state, b"2")

    restored = cli("restore", "copy.db", BOTPLATFORM_STATE=str(state))
    assert value(state) == b"1"
    assert restored.stdout.startswith(f"copy.db is now the state in {state}\nthe state before is kept as ")
    cli("restore", restored.stdout.split()[-1], BOTPLATFORM_STATE=str(state))
    assert value(state) == b"2"


def test_a_backup_becomes_the_state_of_a_machine_that_had_none(cli: Run, state: Path, tmp_path: Path) -> None:
    cli("backup", "copy.db", BOTPLATFORM_STATE=str(state))

    restored = cli("restore", "copy.db", BOTPLATFORM_STATE="new")
    assert restored.stdout == "copy.db is now the state in new\n"
    assert value(tmp_path / "new") == b"1"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("backup", "there.db"), "there.db is there already: choose another name, or move it away"),
        (("backup", "nowhere/copy.db"), "nowhere/copy.db cannot be written: No such file or directory"),
        (("restore", "never.db"), "never.db cannot be restored: unable to open database file"),
        (("restore", "there.db"), "there.db cannot be restored: it is no state of botplatform"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    cli: Run, state: Path, tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    (tmp_path / "there.db").touch()

    result = cli(*arguments, BOTPLATFORM_STATE=str(state))
    assert (result.exit_code, result.stderr) == (1, f"Error: {why}\n")
    assert value(state) == b"1"


def test_there_is_nothing_to_back_up_before_the_first_start(cli: Run) -> None:
    result = cli("backup", "copy.db", BOTPLATFORM_STATE="state")
    assert (result.exit_code, result.stderr.endswith("start the platform with `botplatform run`\n")) == (1, True)


def test_a_platform_that_runs_is_backed_up_without_a_pause(cli: Run, tmp_path: Path) -> None:
    with running(tmp_path, {}) as platform:
        platform.store.write({KEY: Write("put", b"1")})
        cli("backup", "copy.db", BOTPLATFORM_STATE=str(platform.settings.state))
        assert cli("restore", "copy.db", BOTPLATFORM_STATE="new").exit_code == 0
    assert value(tmp_path / "new") == b"1"


def test_a_platform_nobody_would_start_anew_says_so(cli: Run, state: Path, tmp_path: Path) -> None:
    cli("backup", "copy.db", BOTPLATFORM_STATE=str(state))
    with running(tmp_path, {}) as platform:
        result = cli("restore", "copy.db", BOTPLATFORM_STATE=str(platform.settings.state))
    assert result.stderr == "Error: this platform cannot be started anew from here: stop it, and restore then\n"
