"""Handling an event once more from its page: first without consequences, then for real."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.console.browser import row
from tests.console.session import Session
from tests.hosts.local.running import log, request, state
from tests.mosquitto import eventually


def dry_run(console: Session, page: Page, number: int) -> None:
    """Open an event and press "Dry run"."""
    page.goto(f"{console.platform.url}/console/#event-{number}")
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator(".rehearsed")).not_to_be_empty()


def test_a_dry_run_shows_what_would_happen_and_does_nothing(console: Session, page: Page) -> None:
    number = console.happen("gauges/dry", '{"bar": 1}')
    console.happen("gauges/dry", '{"bar": 2}')
    before, sent = log(console.platform), console.get("/console/api/outbox").json
    dry_run(console, page, number)
    expect(page.locator(".rehearsed .difference li")).to_have_text("bar2→1")
    expect(page.locator(".rehearsed .requested")).to_contain_text("text not performed")
    expect(page.locator(".rehearsed .requested")).to_contain_text("dry says 1")
    assert log(console.platform) == before
    assert console.get("/console/api/outbox").json == sent
    assert state(console.platform, "picky")["dry"] == {"bar": 2}


def test_a_dry_run_of_a_handler_that_fails_tells_why(console: Session, page: Page) -> None:
    number = console.happen("gauges/dry", '{"bar": "high"}', done=lambda event: event["handlers"])
    dry_run(console, page, number)
    expect(page.locator(".rehearsed .handler")).to_contain_text("bar is no number: 'high'")


def test_a_replay_without_effects_changes_the_state_and_withholds_them(console: Session, page: Page) -> None:
    number = console.happen("gauges/quiet", '{"bar": 1}')
    console.happen("gauges/quiet", '{"bar": 2}')
    sent = console.get("/console/api/outbox").json["text"]
    dry_run(console, page, number)
    page.get_by_role("button", name="Replay without effects").click()
    expect(page.locator(".rehearsed")).to_contain_text("Replayed")
    eventually(lambda: state(console.platform, "picky")["quiet"] == {"bar": 1})
    replay = console.events()[0]
    expect(row(page, replay["number"])).to_contain_text("replay")
    expect(row(page, replay["number"])).to_contain_text("suppressed: ")
    assert console.get("/console/api/outbox").json["text"] == sent


def test_a_replay_with_effects_performs_them_once_more(console: Session, page: Page) -> None:
    number = console.happen("gauges/loud", '{"bar": 7}')
    sent = len(console.get("/console/api/outbox").json["text"])
    dry_run(console, page, number)
    page.get_by_role("button", name="Replay with 1 effect").click()
    expect(page.locator(".rehearsed")).to_contain_text("Replayed")
    eventually(lambda: len(console.get("/console/api/outbox").json["text"]) == sent + 1)


def test_a_replay_and_its_original_are_a_link_apart(console: Session, page: Page) -> None:
    number = console.happen("gauges/linked", '{"bar": 7}')
    dry_run(console, page, number)
    page.get_by_role("button", name="Replay without effects").click()
    details = page.get_by_role("dialog")
    expect(details.locator(".connections")).to_contain_text("Replayed as")
    details.locator(".connections").get_by_role("link").click()
    expect(details.locator(".connections")).to_contain_text("Replay of")
    expect(page.locator(".rehearsed")).to_be_empty()


def test_a_replay_can_be_for_one_handler(console: Session, page: Page) -> None:
    number = console.happen("sensors/replayed/temperature", '{"celsius": 20}')
    page.goto(f"{console.platform.url}/console/#event-{number}")
    page.get_by_label("Handler to replay for").select_option("room_temperature.remember")
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator(".rehearsed .handler")).to_have_count(1)
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.locator(".rehearsed")).to_contain_text("Replayed")
    eventually(lambda: console.events()[0]["replay_of"])
    assert [handler["handler"] for handler in console.events()[0]["handlers"]] == ["room_temperature.remember"]


def test_what_no_handler_takes_cannot_be_replayed(console: Session, page: Page) -> None:
    dry_run(console, page, console.happen("nobody/listens", "1"))
    expect(page.locator(".rehearsed")).to_have_text("No handler takes it now, so there is nothing to replay.")


def test_what_was_no_event_is_not_offered_to_be_replayed(console: Session, page: Page) -> None:
    headers = {"Content-Type": "application/cloudevents+json"}
    request(f"{console.platform.url}/events", b'{"specversion": "1.0", "id": "1"}', headers)
    log(console.platform)
    page.goto(f"{console.platform.url}/console/#event-{console.events()[0]['number']}")
    expect(page.get_by_role("dialog")).to_contain_text("rejected: source")
    expect(page.get_by_role("button", name="Dry run")).to_have_count(0)
