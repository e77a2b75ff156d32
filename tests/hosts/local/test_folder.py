"""What becomes of files that appear in the watched folder."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from botplatform.errors import Overloaded
from botplatform.hosts.local.folder import WatchedFolder
from botplatform.hosts.local.platform import Platform
from botplatform.stores.sqlite.inbox import Waiting
from tests.handlers import happened
from tests.hosts.local.running import log, running, state
from tests.mosquitto import eventually

PLUGIN = '''"""Counts API calls."""

from botplatform import Context, Event, cloudtrail


@cloudtrail.event()
def count(event: Event, ctx: Context) -> None:
    ctx.state.add(event.id)
'''


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running(tmp_path_factory.mktemp("platform"), {"calls": PLUGIN}) as platform:
        yield platform


@pytest.fixture
def watched(tmp_path: Path, platform: Platform) -> WatchedFolder:
    return WatchedFolder(tmp_path, platform.doors, platform.store)


def records(*ids: str) -> bytes:
    named = [{"eventID": id, "eventSource": "iam.amazonaws.com", "eventName": "CreateUser"} for id in ids]
    return json.dumps({"Records": named}).encode()


def test_a_file_is_taken_in_once_it_has_settled(tmp_path: Path, platform: Platform, watched: WatchedFolder) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(records("settled-1")[:30])
    watched.look()
    file.write_bytes(records("settled-1"))
    watched.look()
    assert "settled-1" not in state(platform, "calls")
    watched.look()
    assert state(platform, "calls")["settled-1"] == 1


def test_a_file_is_taken_in_once_even_after_a_restart(
    tmp_path: Path, platform: Platform, watched: WatchedFolder
) -> None:
    (tmp_path / "file.json").write_bytes(records("once"))
    again = WatchedFolder(tmp_path, platform.doors, platform.store)
    for folder in (watched, watched, watched, again, again):
        folder.look()
    deliveries = [entry["deliveries"] for entry in log(platform) if entry["id"] == "once"]
    assert (deliveries, state(platform, "calls")["once"]) == ([1], 1)


def test_a_file_that_grew_brings_what_is_new_in_it(tmp_path: Path, platform: Platform, watched: WatchedFolder) -> None:
    for content in (records("early"), records("early", "late")):
        (tmp_path / "file.json").write_bytes(content)
        watched.look()
        watched.look()
    assert [state(platform, "calls")[id] for id in ("early", "late")] == [1, 1]


def test_files_are_found_however_deep(tmp_path: Path, platform: Platform, watched: WatchedFolder) -> None:
    deep = tmp_path / "AWSLogs" / "111122223333" / "CloudTrail" / "us-east-1" / "2026" / "01" / "05"
    deep.mkdir(parents=True)
    (deep / "file.json.gz").write_bytes(gzip.compress(records("deep")))
    watched.look()
    watched.look()
    assert state(platform, "calls")["deep"] == 1


def test_a_bad_file_is_said_once_and_keeps_no_other_out(
    tmp_path: Path, platform: Platform, watched: WatchedFolder, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(records("never"))[:-9])
    (tmp_path / "b.json").write_bytes(records("beside", ""))
    for _ in range(4):
        watched.look()
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == [
        f"{tmp_path / 'a.json.gz'}: the gzip file ends too early: it was cut off, send it again",
        f"{tmp_path / 'b.json'}: $.Records[1]: no CloudTrail record: eventID missing",
    ]
    assert state(platform, "calls")["beside"] == 1


def test_a_file_with_more_than_there_is_room_for_at_a_time_is_taken_in_whole(tmp_path: Path) -> None:
    ids = [str(number) for number in range(50)]
    with running(tmp_path, {"calls": PLUGIN}, BOTPLATFORM_IN_FLIGHT="3") as platform:
        watched = WatchedFolder(tmp_path / "logs", platform.doors, platform.store)
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "file.json").write_bytes(records(*ids))
        watched.look()
        watched.look()
        assert state(platform, "calls") == dict.fromkeys(ids, 1)


def test_a_file_waits_while_there_is_no_room(tmp_path: Path) -> None:
    with running(tmp_path, {"calls": PLUGIN}, BOTPLATFORM_INBOX_LIMIT="1") as platform:
        watched = WatchedFolder(tmp_path / "logs", platform.doors, platform.store)
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "file.json").write_bytes(records("patient"))
        platform.dispatcher.give_up(Waiting(happened("dead"), "gone.handler", 5, 0.0))
        watched.look()
        with pytest.raises(Overloaded):
            watched.look()

        platform.store.inbox.drop([letter.number for letter in platform.store.inbox.dead_letters()])
        eventually(lambda: platform.dispatcher.levels()["inbox"]["now"] == 0)
        watched.look()
        assert state(platform, "calls") == {"patient": 1}


def test_other_files_are_let_alone(tmp_path: Path, platform: Platform, watched: WatchedFolder) -> None:
    before = log(platform)
    (tmp_path / "notes.txt").write_bytes(records("notes"))
    watched.look()
    watched.look()
    assert log(platform) == before


def test_the_folder_in_the_settings_is_watched(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "file.json").write_bytes(records("from the settings"))
    with running(tmp_path, {"calls": PLUGIN}, CLOUDTRAIL_FOLDER=str(logs)) as platform:
        eventually(lambda: state(platform, "calls") == {"from the settings": 1})
