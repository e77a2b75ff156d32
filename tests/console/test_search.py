"""Looking for something in the log: what is asked of the platform, and how a search is shared."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from botplatform.effect import Publication
from tests.console.browser import row
from tests.console.session import Session
from tests.mosquitto import eventually


def found(console: Session, query: str) -> list[Any]:
    """The subjects of what the platform finds, newest first."""
    return [event["subject"] for event in console.get(f"/console/api/events?{query}").json["events"]]


@pytest.mark.parametrize(
    "query",
    [
        "subject=gauges/moat",
        "subject=gauges/*&type=org.mqtt.*&text=under-water",
        "handler=picky.*&text=under-water",
        "verdict=done&text=UNDER-water",
        "source=mqtt:&text=under-water",
    ],
)
def test_the_platform_finds_what_was_asked_for(console: Session, query: str) -> None:
    console.happen("gauges/moat", '{"bar": 1, "note": "under-water"}')
    console.happen("locks/tower/state", "shut")
    assert found(console, query)[0] == "gauges/moat"
    assert "locks/tower/state" not in found(console, query)


def test_a_range_of_time_has_a_beginning_and_an_end(console: Session) -> None:
    console.happen("locks/moat/state", "shut")
    now = time.time() + 1
    assert found(console, f"until={now}")[0] == "locks/moat/state"
    assert found(console, f"since={now}") == []


def test_a_time_that_is_none_is_refused(console: Session) -> None:
    answer = console.get("/console/api/events?since=yesterday")
    assert (answer.status, answer.error) == (400, "since: 'yesterday' is no Unix time in seconds")


def test_what_came_before_a_number_is_told(console: Session) -> None:
    older = console.happen("locks/moat/state", "shut")
    newer = console.happen("locks/moat/state", "open")
    told = console.get(f"/console/api/events?before={newer}&limit=1").json["events"]
    assert [event["number"] for event in told] == [older]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Text, anywhere in it", "DRAWN up"),
        ("Subject", "gauges/bridge"),
        ("Type", "org.mqtt.*"),
        ("Handler", "picky.take"),
        ("What became of it", "done"),
    ],
)
def test_one_looks_for_events_by_what_they_say(console: Session, page: Page, field: str, value: str) -> None:
    wanted = console.happen("gauges/bridge", '{"bar": 0.25, "note": "drawn up"}')
    console.post("slack", {"user": "U0ANN", "text": "/nothing-of-ours"})
    other = console.events()[0]["number"]
    page.get_by_role("button", name="Search").click()
    control = page.get_by_label(field)
    control.select_option(value) if field == "What became of it" else control.fill(value)
    expect(row(page, other)).to_have_count(0)
    expect(row(page, wanted)).to_be_visible()
    expect(page.get_by_role("button", name="Search")).to_have_attribute("data-count", "1")


def test_a_search_can_be_shared_as_a_link_and_is_kept_live(console: Session, page: Page) -> None:
    page.get_by_role("button", name="Search").click()
    page.get_by_label("Subject").fill("locks/well/*")
    expect(page.locator("#nothing")).to_have_text("No event in the log fits the search.")
    wanted = console.happen("locks/well/state", "open")
    other = console.happen("locks/gate/state", "open")
    expect(row(page, wanted)).to_be_visible()
    expect(row(page, other)).to_have_count(0)
    page.goto("about:blank")
    page.goto(f"{console.platform.url}/console/#?subject=locks%2Fwell%2F*")
    expect(row(page, wanted)).to_be_visible()
    expect(page.get_by_label("Subject")).to_have_value("locks/well/*")
    assert page.locator("#events > li").count() == 1


def test_an_open_event_keeps_the_search(console: Session, page: Page) -> None:
    number = console.happen("locks/well/state", "open")
    page.goto(f"{console.platform.url}/console/#?subject=locks%2Fwell%2F*")
    row(page, number).locator("a").click()
    expect(page.get_by_role("dialog", name="locks/well/state")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{console.platform.url}/console/#?subject=locks%2Fwell%2F*")


def test_clear_ends_the_search(console: Session, page: Page) -> None:
    number = console.happen("locks/gate/state", "open")
    page.goto(f"{console.platform.url}/console/#?subject=nowhere&since=1000000000")
    expect(page.locator("#nothing")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(row(page, number)).to_be_visible()
    expect(page).to_have_url(f"{console.platform.url}/console/")


def test_times_are_local_and_shared_as_unix_times(console: Session, page: Page) -> None:
    page.get_by_role("button", name="Search").click()
    page.get_by_label("From").fill("2026-11-21T10:00")
    expect(page).to_have_url(f"{console.platform.url}/console/#?since={page.evaluate(_UNIX, '2026-11-21T10:00')}")
    page.reload()
    expect(page.get_by_label("From")).to_have_value("2026-11-21T10:00")


_UNIX = "(local) => new Date(local) / 1000"


def test_older_events_are_a_page_away(console: Session, page: Page) -> None:
    first = console.happen("crowd/first", "0")
    for number in range(120):
        console.platform.publish(Publication("crowd/more", json.dumps(number).encode()))
    eventually(lambda: len(found(console, "subject=crowd/more&limit=500")) == 120)
    page.goto(f"{console.platform.url}/console/#?subject=crowd%2F")
    expect(page.locator("#events > li")).to_have_count(100)
    page.get_by_role("button", name="Load older events").click()
    expect(row(page, first)).to_be_attached()
    expect(page.locator("#events > li")).to_have_count(121)
    expect(page.get_by_role("button", name="Load older events")).to_be_hidden()
