"""One event's whole story: what came in, what became of it, and what it is connected with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.browser import HOSTILE
from tests.console.session import Session
from tests.hosts.local.running import log, request
from tests.mosquitto import eventually


def opened(console: Session, page: Page, number: int) -> Locator:
    """The details of an event."""
    page.goto(f"{console.platform.url}/console/#event-{number}")
    return page.get_by_role("dialog")


def of_type(console: Session, type: str) -> dict[str, Any]:
    """The latest event of a type, once there is one."""
    eventually(lambda: any(entry["type"] == type for entry in log(console.platform)))
    eventually(lambda: not console.platform.busy())
    return next(event for event in console.events() if event["type"] == type)


def test_the_story_goes_from_the_raw_record_to_the_reply(console: Session, page: Page) -> None:
    console.happen("sensors/kitchen/temperature", '{"celsius": 20}')
    console.post("slack", {"user": "U0ANN", "text": "/temp kitchen"})
    details = opened(console, page, console.events()[0]["number"])
    expect(details).to_contain_text("It is 20 °C in the kitchen.")
    words = details.inner_text()
    places = [words.index(part) for part in ("Raw record", "Envelope", "1 handler", "room_temperature.answer", "Reply")]
    assert places == sorted(places)


def test_the_difference_in_state_is_shown(console: Session, page: Page) -> None:
    console.happen("gauges/boiler", '{"bar": 1, "by": "ann", "seen": [1, 2]}')
    number = console.happen("gauges/boiler", '{"bar": 2.5, "seen": [1, 2, 3], "of": "max"}')
    lines = opened(console, page, number).locator(".difference li")
    expect(lines).to_have_text(["bar1→2.5", 'by"ann"', "seen[2]3", 'of"max"'])
    kinds = [line.get_attribute("data-kind") for line in lines.all()]
    assert kinds == ["changed", "removed", "added", "added"]


def test_a_value_too_long_for_the_log_says_how_long_it_is(console: Session, page: Page) -> None:
    number = console.happen("gauges/large", json.dumps({"bar": 1, "note": "x" * 20_000}))
    expect(opened(console, page, number)).to_contain_text("too long to be kept here")


def test_effects_tell_when_they_were_performed(console: Session, page: Page) -> None:
    details = opened(console, page, console.happen("gauges/boiler", '{"bar": 3}'))
    expect(details).to_contain_text("boiler says 3")
    expect(details.locator(".requested")).to_contain_text("after the commit")
    expect(details.locator(".times")).to_contain_text("in the handler, committed")


def test_what_an_event_caused_is_a_link_away_and_so_is_the_way_back(console: Session, page: Page) -> None:
    console.happen("doors/front/opened", "{}")
    emitted = of_type(console, "com.example.door.opened")
    details = opened(console, page, emitted["number"])
    expect(details).to_contain_text("welcome at the front")
    expect(details.locator(".connections")).to_contain_text("By way ofdoors.count")
    details.get_by_role("link", name="doors/front/opened").click()
    expect(details.locator("h2")).to_contain_text("doors/front/opened")
    expect(details.locator(".connections dt")).to_have_text("Caused")
    details.get_by_role("link", name="com.example.door.opened").click()
    expect(details).to_contain_text("welcome at the front")


def test_an_event_tells_its_cause_and_its_consequences(console: Session) -> None:
    console.happen("doors/back/opened", "{}")
    emitted = console.details(of_type(console, "com.example.door.opened")["number"])
    [cause] = emitted["related"]["caused_by"]
    assert (cause["subject"], cause["kind"]) == ("doors/back/opened", "mqtt")
    [caused] = console.details(cause["number"])["related"]["caused"]
    assert caused["number"] == emitted["number"]


def test_a_cause_that_the_log_does_not_have_is_named(console: Session, page: Page) -> None:
    event = {"specversion": "1.0", "id": "late", "source": "urn:test", "type": "t", "causationid": "long-gone"}
    headers = {"Content-Type": "application/cloudevents+json"}
    request(f"{console.platform.url}/events", json.dumps(event).encode(), headers)
    expect(opened(console, page, of_type(console, "t")["number"])).to_contain_text("long-gone, which is not in the log")


def test_a_dead_letter_is_a_link_away(console: Session, page: Page) -> None:
    number = console.happen("gauges/boiler", '{"bar": null}', done=lambda event: event["handlers"])
    details = opened(console, page, number)
    details.get_by_role("link", name="Retry, edit or drop the dead letter").click()
    expect(details.locator("h2")).to_have_text("Dead letter: gauges/boiler")
    expect(details).to_contain_text("bar is no number: None")
    details.get_by_role("link", name="What else became of the event").click()
    expect(details.locator("h2")).to_have_text("mqtt gauges/boiler")


def test_what_a_stranger_put_into_the_state_stays_text(console: Session, page: Page) -> None:
    console.happen("gauges/hostile", json.dumps({"bar": 1}))
    details = opened(console, page, console.happen("gauges/hostile", json.dumps({"bar": 2, HOSTILE: HOSTILE})))
    expect(details.locator(".difference")).to_contain_text("onerror=")
    expect(page.locator("img, body script")).to_have_count(0)
    expect(page).to_have_title("botplatform console")


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (1, 1, []),
        (1, 2, [{"path": "", "before": 1, "after": 2}]),
        (None, 0, [{"path": "", "before": None, "after": 0}]),
        ({"a": 1}, {"b": 1}, [{"path": "a", "before": 1}, {"path": "b", "after": 1}]),
        ({"a": {"b": [1]}}, {"a": {"b": [1, 2]}}, [{"path": "a.b[1]", "after": 2}]),
        ([1, 2, 3], [2, 3], [{"path": "[0]", "before": 1}]),
        ([1, 1], [1], [{"path": "[1]", "before": 1}]),
        ([1, 2, 3], [1, 5, 3], [{"path": "[1]", "before": 2, "after": 5}]),
        ([{"a": 1}], [{"a": 2}], [{"path": "[0].a", "before": 1, "after": 2}]),
        ([], {}, [{"path": "", "before": [], "after": {}}]),
        ({"constructor": 1}, {}, [{"path": "constructor", "before": 1}]),
        ({"__proto__x": 1}, {"toString": 1}, [{"path": "__proto__x", "before": 1}, {"path": "toString", "after": 1}]),
    ],
)
def test_values_are_compared_part_by_part(page: Page, before: Any, after: Any, lines: list[Any]) -> None:
    assert page.evaluate(_COMPARED, [before, after]) == lines


_COMPARED = "([before, after]) => import('/console/static/difference.js').then((it) => it.compared(before, after))"
