"""What the console's API does to dead letters, replays and backups, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.console.session import Session
from tests.handlers import happened
from tests.hosts.local.running import running, state
from tests.mosquitto import eventually

PICKY = '''"""Takes what is repaired."""
from botplatform import Context, Event, Rejected, cloudevents

@cloudevents.event("com.example.happened")
def take(event: Event, ctx: Context) -> None:
    if event.data != "repaired":
        raise Rejected("not to my taste")
    ctx.state.add("taken", 1)
'''


@contextmanager
def disappointed(folder: Path) -> Iterator[Session]:
    """The console of a platform that gave up on two events."""
    with running(folder, {"picky": PICKY}) as platform:
        for number in (1, 2):
            platform.dispatcher.submit(happened(str(number), subject=f"door-{number}", data="odd"))
            eventually(lambda expected=number: platform.store.inbox.size() == (0, expected))
        yield Session(platform)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Session]:
    with disappointed(tmp_path) as console:
        yield console


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """For what changes nothing."""
    with disappointed(tmp_path_factory.mktemp("untouched")) as console:
        yield console


def letters(console: Session, query: str = "") -> list[dict[str, Any]]:
    return list(console.get(f"/console/api/dead-letters?{query}").json["dead_letters"])


def taken(console: Session) -> int:
    return int(state(console.platform, "picky").get("taken", 0))


def test_dead_letters_are_listed_searched_and_come_in_pages(untouched: Session) -> None:
    first, second = letters(untouched)
    assert (first["handler"], first["reason"], first["attempts"]) == ("picky.take", "not to my taste", 1)
    assert letters(untouched, "subject=door-2") == [second]
    assert letters(untouched, "limit=1") == [first]
    assert letters(untouched, f"after={first['number']}") == [second]
    assert letters(untouched, "until=1.5") == []


def test_one_has_its_envelope(untouched: Session) -> None:
    number = letters(untouched)[0]["number"]
    assert untouched.get(f"/console/api/dead-letters/{number}").json["envelope"]["data"] == "odd"


@pytest.mark.parametrize("number", [99, 10**30])
def test_one_that_is_not_there_is_said(untouched: Session, number: int) -> None:
    answer = untouched.get(f"/console/api/dead-letters/{number}")
    assert (answer.status, "there is no dead letter" in answer.error) == (404, True)
    assert untouched.post(f"dead-letters/{number}/edit", {"data": 1}).status == 400


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_time_that_is_none_is_refused_and_not_ignored(untouched: Session, name: str) -> None:
    answer = untouched.get(f"/console/api/dead-letters?{name}=noon")
    assert (answer.status, answer.error) == (400, f"{name}: 'noon' is no Unix time in seconds")


def test_edited_and_retried_it_is_handled(console: Session) -> None:
    first, second = (letter["number"] for letter in letters(console))
    assert console.post(f"dead-letters/{first}/edit", {"data": "repaired"}).json == {}
    assert console.post("dead-letters/retry", {"numbers": [first, 99]}).json == {"done": 1}
    eventually(lambda: taken(console) == 1)
    assert console.post("dead-letters/drop", {"numbers": [second]}).json == {"done": 1}
    assert letters(console) == []


def test_a_dry_run_shows_what_a_replay_does(console: Session) -> None:
    asked = {"numbers": [1], "handler": "", "dry_run": True, "effects": False}
    [run] = console.post("replay", asked).json["runs"]
    assert (run["number"], run["handler"], run["status"]) == (1, "picky.take", "failed")
    [id] = console.post("replay", {**asked, "dry_run": False}).json["replayed"]
    eventually(lambda: [letter["id"] for letter in letters(console)][2:] == [id])


def test_a_backup_tells_its_size(console: Session, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert console.post("backup", {"path": str(copy)}).json == {"bytes": copy.stat().st_size}
    assert "is there already" in console.post("backup", {"path": str(copy)}).error


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("dead-letters/retry", {"numbers": ["1"]}),
        ("dead-letters/retry", {"numbers": 1}),
        ("dead-letters/retry", {}),
        ("dead-letters/drop", [1]),
        ("dead-letters/1/edit", {}),
        ("replay", {"numbers": [1]}),
        ("backup", {"path": None}),
        ("backup", {"path": "copy.db"}),
        ("dead-letters/retry", b"{"),
    ],
)
def test_what_is_not_of_the_right_shape_is_refused(untouched: Session, path: str, body: Any) -> None:
    answer = untouched.post(path, body)
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert len(letters(untouched)) == 2


@pytest.mark.parametrize("path", ["dead-letters/retry", "dead-letters/drop", "dead-letters/1/edit", "replay", "backup"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Console_Token": "guessed"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Content_Type": "text/plain"}, 415),
    ],
)
def test_only_the_owner_may_change_anything(
    untouched: Session, path: str, headers: dict[str, str], status: int
) -> None:
    assert untouched.post(path, {"numbers": [1, 2]}, **headers).status == status
    assert len(letters(untouched)) == 2
