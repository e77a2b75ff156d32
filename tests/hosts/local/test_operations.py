"""What a person does to a platform's state, whether it runs or not."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botplatform import Context, Event, Rejected
from botplatform.errors import BotplatformError, StateUnavailable
from botplatform.hosts.local.lock import FolderInUse, FolderLock
from botplatform.hosts.local.operations import Operations
from botplatform.hosts.local.remote import RunningPlatform, operating
from botplatform.plugins import Plugins
from botplatform.router import Router
from botplatform.source import MASK
from botplatform.store import StateKey, Work, Write
from botplatform.stores.sqlite.inbox import Waiting
from botplatform.stores.sqlite.search import Search
from tests.handlers import handler_of, happened
from tests.hosts.local.machine import Machine
from tests.hosts.local.running import configured, running
from tests.mosquitto import eventually

EVERYTHING = Search()
SECRET = "https://hooks.slack.example/1"


class Picky:
    """A handler that takes only what is as it likes it, and counts what it took."""

    def __init__(self) -> None:
        self.likes: Any = "repaired"

    def take(self, event: Event, ctx: Context) -> None:
        if event.data != self.likes:
            raise Rejected("not to my taste")
        ctx.state.add("taken", 1)


@pytest.fixture
def picky() -> Picky:
    return Picky()


@pytest.fixture
def machine(tmp_path: Path, picky: Picky) -> Iterator[Machine]:
    machine = Machine(tmp_path, handler_of(picky.take))
    yield machine
    machine.stop()


@pytest.fixture
def operations(machine: Machine) -> Operations:
    return on(machine)


def on(machine: Machine) -> Operations:
    dispatcher = machine.dispatcher
    return Operations(machine.store, dispatcher.engine, lambda: dispatcher.router, dispatcher)


def numbers(operations: Operations | RunningPlatform, search: Search = EVERYTHING) -> list[int]:
    return [letter["number"] for letter in operations.dead_letters(search)]


def taken(machine: Machine) -> bytes | None:
    return machine.store.read(StateKey("demo", "taken")).json


def test_a_dead_letter_says_what_it_is_about_and_why(machine: Machine, operations: Operations) -> None:
    machine.handle(happened(subject="door", data=1))
    [letter] = operations.dead_letters(EVERYTHING)
    about = {name: letter[name] for name in ("id", "subject", "handler", "attempts", "reason")}
    assert about == {"id": "1", "subject": "door", "handler": "demo.take", "attempts": 1, "reason": "not to my taste"}
    assert operations.dead_letter(letter["number"])["envelope"]["data"] == 1


def test_dead_letters_are_searched_and_come_in_pages(machine: Machine, operations: Operations) -> None:
    machine.handle(*[happened(str(n), subject="door" if n % 2 else "window") for n in range(5)])
    whole = numbers(operations)
    assert [len(whole), len(numbers(operations, Search(subject="window")))] == [5, 3]
    assert [letter["number"] for letter in operations.dead_letters(EVERYTHING, whole[1], 2)] == whole[2:4]


def test_a_retried_letter_is_handled_and_changes_the_state_once(
    machine: Machine, operations: Operations, picky: Picky
) -> None:
    machine.handle(happened(data="odd"))
    picky.likes = "odd"
    [number] = numbers(operations)
    assert operations.retry([number, number + 1]) == 1
    eventually(lambda: machine.store.outcome(Work("/tests", "1", "demo.take")))
    assert (taken(machine), numbers(operations), machine.dispatcher.counts["dead letters retried"]) == (b"1", [], 1)
    assert operations.retry([number]) == 0


def test_what_fails_again_is_a_dead_letter_again(machine: Machine, operations: Operations) -> None:
    machine.handle(happened())
    operations.retry(numbers(operations))
    eventually(lambda: machine.dispatcher.counts["dead letters"] == 2)
    assert len(numbers(operations)) == 1


@pytest.mark.parametrize("runs", [True, False])
def test_a_letter_that_took_the_process_down_may_be_tried_again(tmp_path: Path, picky: Picky, runs: bool) -> None:
    machine = Machine(tmp_path, handler_of(picky.take))
    machine.store.write({StateKey("@crashes", "/tests|1|demo.take"): Write("put", b"3")})
    machine.stop()
    picky.likes = None
    machine = Machine(tmp_path, handler_of(picky.take))
    machine.handle(happened())
    [letter] = on(machine).dead_letters(EVERYTHING)
    assert "the process died 3 times" in letter["reason"]
    if runs:
        on(machine).retry([letter["number"]])
    else:
        Operations(machine.store, machine.dispatcher.engine, Router).retry([letter["number"]])
        machine.stop()
        machine = Machine(tmp_path, handler_of(picky.take))
        machine.resume()
    eventually(lambda: taken(machine) == b"1")
    machine.stop()


def test_a_dropped_letter_is_gone_counted_and_told_by_the_log(machine: Machine, operations: Operations) -> None:
    machine.handle(happened())
    assert operations.drop(numbers(operations)) == 1
    assert (numbers(operations), machine.dispatcher.counts["dead letters dropped"]) == ([], 1)
    [entry] = machine.store.log.events()
    assert "demo.take gave up (not to my taste) and was dropped" in entry["reason"]


@pytest.mark.parametrize("broken", [{"celsius": "warm"}, b"no JSON", None])
def test_edited_data_is_what_the_handler_gets(
    machine: Machine, operations: Operations, picky: Picky, broken: Any
) -> None:
    machine.handle(happened(subject="door", data=broken))
    picky.likes = {"celsius": 21}
    [number] = numbers(operations)
    operations.edit(number, {"celsius": 21})
    envelope = operations.dead_letter(number)["envelope"]
    assert (envelope["subject"], envelope["id"], envelope["data"]) == ("door", "1", {"celsius": 21})
    operations.retry([number])
    eventually(lambda: taken(machine) == b"1")


def test_a_secret_is_masked_when_shown_and_kept_when_its_mask_comes_back(machine: Machine) -> None:
    record = {"command": "/temp", "response_url": SECRET, "parts": [{"response_url": SECRET}, 1], "text": "kitchn"}
    command = Event(type="com.slack.command", source="urn:slack:T1", id="1", subject="/temp", data=record)
    machine.store.inbox.give_up(Waiting(command, "demo.take", 5, 0.0, "broken"))
    operations = on(machine)
    [number] = numbers(operations)
    shown = operations.dead_letter(number)["envelope"]["data"]
    assert (shown["response_url"], shown["parts"][0]["response_url"]) == (MASK, MASK)
    operations.edit(number, {**shown, "text": "kitchen", "parts": [*shown["parts"], {"response_url": MASK}]})
    letter = machine.store.inbox.dead_letter(number)
    assert letter
    assert letter.event.data == {
        **record,
        "text": "kitchen",
        "parts": [{"response_url": SECRET}, 1, {"response_url": MASK}],
    }


@pytest.mark.parametrize("ask", [lambda o: o.dead_letter(7), lambda o: o.edit(7, 1)], ids=["show", "edit"])
def test_a_letter_that_is_not_there_is_said(operations: Operations, ask: Any) -> None:
    with pytest.raises(Rejected, match="there is no dead letter 7"):
        ask(operations)


def test_a_replay_is_a_new_event_that_says_what_it_repeats(
    machine: Machine, operations: Operations, picky: Picky
) -> None:
    picky.likes = 1
    machine.handle(happened(data=1))
    [id] = operations.replay([1])
    eventually(lambda: taken(machine) == b"2")
    [number] = machine.store.log.by_id(id)
    replayed = machine.store.log.envelope(number)
    assert replayed
    assert (replayed.extensions["replayof"], machine.dispatcher.counts["events replayed"]) == ("1", 1)


def test_a_rehearsal_changes_nothing(machine: Machine, operations: Operations, picky: Picky) -> None:
    picky.likes = 1
    machine.handle(happened("1", data=1), happened("2", data=1))
    runs = operations.rehearse([1, 2])
    told = [(run["number"], run["status"], [change["after"] for change in run["changes"]]) for run in runs]
    assert (told, taken(machine)) == ([(1, "done", [3]), (2, "done", [4])], b"2")


def test_what_is_no_event_cannot_be_replayed(machine: Machine, operations: Operations) -> None:
    machine.store.log.reject("mqtt", "not JSON")
    machine.store.write({})
    for act in (operations.replay, operations.rehearse):
        with pytest.raises(Rejected, match="number 1 of the log is no event"):
            act([1])


def test_a_backup_is_a_new_file(tmp_path: Path, machine: Machine, operations: Operations) -> None:
    machine.handle(happened())
    size = operations.backup(tmp_path / "copy.db")
    assert size == (tmp_path / "copy.db").stat().st_size > 0


@pytest.mark.parametrize("path", ["copy.db", "{folder}/state.db"])
def test_a_backup_goes_nowhere_else(tmp_path: Path, operations: Operations, path: str) -> None:
    with pytest.raises(BotplatformError, match=r"absolute|there already"):
        operations.backup(Path(path.format(folder=tmp_path)))


# Of a platform that runs in another process, and of none


PICKY = '''"""Takes what is repaired."""
from botplatform import Context, Event, Rejected, cloudevents

@cloudevents.event("com.example.happened")
def take(event: Event, ctx: Context) -> None:
    if event.data != "repaired":
        raise Rejected("not to my taste")
    ctx.state.add("taken", 1)
'''


def test_a_running_platform_is_asked_over_its_console(tmp_path: Path) -> None:
    with running(tmp_path, {"picky": PICKY}) as platform:
        platform.dispatcher.submit(happened(data="odd"))
        with operating(platform.settings, Plugins) as operations:
            assert isinstance(operations, RunningPlatform)
            eventually(lambda: numbers(operations))
            [number] = numbers(operations, Search(handler="picky.*", since=1.0))
            assert operations.dead_letter(number)["envelope"]["data"] == "odd"
            operations.edit(number, "repaired")
            assert operations.retry([number]) == 1
            eventually(lambda: platform.store.read(StateKey("picky", "taken")).json == b"1")
            assert operations.rehearse([1], "picky.take")[0]["reason"] == "not to my taste"
            [id] = operations.replay([1])
            eventually(lambda: numbers(operations))
            assert operations.dead_letters(EVERYTHING)[0]["id"] == id
            assert operations.drop(numbers(operations)) == 1
            assert operations.backup(tmp_path / "copy.db") == (tmp_path / "copy.db").stat().st_size
            with pytest.raises(BotplatformError, match="there is no dead letter 99"):
                operations.dead_letter(99)


def test_its_token_is_for_the_owner_of_the_folder_and_goes_with_it(tmp_path: Path) -> None:
    with running(tmp_path, {}) as platform:
        announced = platform.settings.state / "running.json"
        assert stat.S_IMODE(announced.stat().st_mode) == 0o600
        with pytest.raises(BotplatformError, match="the token of the console is missing or old"):
            RunningPlatform(platform.url, "guessed").drop([1])
    assert not announced.exists()


def test_the_events_token_is_brought_along(tmp_path: Path) -> None:
    with running(tmp_path, {}, BOTPLATFORM_EVENTS_TOKEN="t0ken") as platform:
        with operating(platform.settings, Plugins) as operations:
            assert numbers(operations) == []
        with pytest.raises(BotplatformError, match="BOTPLATFORM_EVENTS_TOKEN is missing or wrong"):
            RunningPlatform(platform.url, platform.token).dead_letters(EVERYTHING)


def test_where_none_runs_what_is_retried_waits_for_the_next_start(tmp_path: Path, picky: Picky) -> None:
    settings = configured(tmp_path)
    machine = Machine(settings.state, handler_of(picky.take))
    machine.handle(happened(data="odd"))
    machine.stop()
    with operating(settings, Plugins) as operations:
        assert isinstance(operations, Operations)
        [number] = numbers(operations)
        operations.edit(number, "repaired")
        assert operations.retry([number]) == 1
        with pytest.raises(FolderInUse):
            FolderLock(settings.state)
    machine = Machine(settings.state, handler_of(picky.take))
    machine.resume()
    eventually(lambda: taken(machine) == b"1")
    machine.stop()


def test_where_nothing_ever_ran_it_says_how_to_begin(tmp_path: Path) -> None:
    opening = operating(configured(tmp_path), Plugins)
    with pytest.raises(StateUnavailable, match=r"there is no state in .* yet: start the platform"):
        opening.__enter__()
    assert not (tmp_path / "state").exists()


def test_a_platform_that_does_not_answer_is_said() -> None:
    with pytest.raises(BotplatformError, match=r"the platform at http://127.0.0.1:1/console/api does not answer"):
        RunningPlatform("http://127.0.0.1:1", "").retry([1])
