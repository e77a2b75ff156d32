"""How full the platform is, as the console shows it, and everything it counted."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.console.browser import opened
from tests.console.session import PLUGINS, Session, connected
from tests.hosts.local.running import request, running
from tests.mosquitto import eventually

_LEVELS = {
    "in_flight": "BOTPLATFORM_IN_FLIGHT",
    "inbox": "BOTPLATFORM_INBOX_LIMIT",
    "outbox": "BOTPLATFORM_OUTBOX_LIMIT",
    "log": "BOTPLATFORM_LOG_LIMIT",
    "bodies": "BOTPLATFORM_BODIES_LIMIT",
}


def test_the_status_tells_how_full_everything_is(console: Session) -> None:
    levels = console.get("/console/api/events").json["status"]["levels"]
    assert {name: level["setting"] for name, level in levels.items()} == _LEVELS
    assert all(0 <= level["now"] < level["limit"] for level in levels.values())


def test_the_status_counts_the_dead_letters(console: Session) -> None:
    before = console.get("/console/api/events").json["status"]["dead_letters"]
    console.dead_letter("gauges/counted", '{"bar": "high"}')
    assert console.get("/console/api/events").json["status"]["dead_letters"] == before + 1


def test_each_limit_is_a_meter_with_the_setting_that_says_it(page: Page) -> None:
    page.get_by_role("button", name="Limits").click()
    dialog = page.get_by_role("dialog", name="Limits and counters")
    for setting in _LEVELS.values():
        expect(dialog).to_contain_text(setting)
    expect(dialog.get_by_role("meter")).to_have_count(len(_LEVELS))
    expect(page.locator("#slowing")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_what_was_dropped_or_refused_is_counted_there(console: Session, page: Page) -> None:
    console.dead_letter("gauges/counted", '{"bar": "high"}')
    console.happen("nobody/listens", "1")
    page.get_by_role("button", name="Limits").click()
    counted = page.locator("#counted")
    expect(counted).to_contain_text("dead letters")
    counted.get_by_role("link", name="unmatched").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#events > li").first).to_contain_text("no handler listens to it")


def test_meters_turn_amber_before_a_limit_and_red_at_it(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, PLUGINS, BOTPLATFORM_INBOX_LIMIT="10") as platform:
        eventually(lambda: connected(platform))
        console = Session(platform)
        with opened(browser, f"{platform.url}/console/") as page:
            inbox = page.locator("#gauges meter[aria-label^=Inbox]")
            for _ in range(9):
                console.dead_letter("gauges/full", '{"bar": "high"}')
            expect(inbox).to_have_attribute("data-state", "nearly")
            expect(page.get_by_role("button", name="Limits: nearly reached")).to_be_visible()
            console.dead_letter("gauges/full", '{"bar": "high"}')
            expect(inbox).to_have_attribute("data-state", "full")
            expect(page.locator("#slowing")).to_have_text(
                "Sources are being slowed down: Inbox and dead letters: 10 of 10 (BOTPLATFORM_INBOX_LIMIT)."
            )
            event = b'{"specversion": "1.0", "id": "1", "source": "urn:test", "type": "t"}'
            assert request(f"{platform.url}/events", event).status == 503
            page.get_by_role("button", name="Limits: sources are being slowed down").click()
            expect(page.locator("#counted")).to_contain_text("refused")
