"""What was given up on: looked through, retried, edited and dropped in the console."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.console.browser import HOSTILE, letter, row
from tests.console.session import Session
from tests.hosts.local.running import state
from tests.mosquitto import eventually


@pytest.fixture
def letters(page: Page) -> Page:
    """The list of dead letters, in a window of its own."""
    page.get_by_role("tab", name="Dead letters").click()
    return page


def test_what_was_given_up_on_is_listed_with_its_reason(console: Session, letters: Page) -> None:
    number = console.dead_letter("gauges/listed", '{"bar": "high"}')
    expect(letter(letters, number)).to_contain_text("gauges/listedpicky.take")
    expect(letter(letters, number)).to_contain_text("after 1 attempt: bar is no number: 'high'")
    count = len(console.dead_letters())
    expect(letters.get_by_role("tab", name="Dead letters")).to_have_attribute("data-count", str(count))


def test_those_that_were_chosen_are_retried(console: Session, letters: Page) -> None:
    numbers = [console.dead_letter("gauges/again", '{"bar": "high"}') for _ in range(3)]
    for number in numbers[:2]:
        letter(letters, number).get_by_role("checkbox").check()
    expect(letters.locator("#chosen-letters")).to_contain_text("2 of ")
    letters.get_by_role("button", name="Retry").click()
    expect(letters.get_by_role("status").last).to_have_text("Retried 2 dead letters.")
    assert console.get("/console/api/events").json["status"]["counts"]["dead letters retried"] >= 2


def test_all_that_fit_a_search_can_be_chosen_at_once(console: Session, letters: Page) -> None:
    numbers = [console.dead_letter("gauges/many", '{"bar": "high"}') for _ in range(3)]
    other = console.dead_letter("gauges/other", '{"bar": "high"}')
    letters.goto(f"{console.platform.url}/console/#dead-letters?subject=gauges%2Fmany")
    expect(letter(letters, other)).to_have_count(0)
    letters.get_by_label("3 dead letters").check()
    letters.get_by_role("button", name="Drop").click()
    letters.get_by_role("alertdialog").get_by_role("button", name="Drop").click()
    expect(letters.locator("#letters-told")).to_have_text("Dropped 3 dead letters.")
    left = {found["number"] for found in console.dead_letters()}
    assert other in left
    assert not left & {*numbers}


def test_what_the_filter_hides_is_not_chosen(console: Session, letters: Page) -> None:
    hidden = console.dead_letter("gauges/hidden", '{"bar": "high"}')
    shown = console.dead_letter("gauges/shown", '{"bar": "high"}')
    for number in (hidden, shown):
        letter(letters, number).get_by_role("checkbox").check()
    letters.get_by_role("searchbox").fill("gauges/shown")
    expect(letters.locator("#chosen-letters")).to_have_text("1 of 1 dead letter")
    letters.get_by_role("searchbox").fill("")
    expect(letter(letters, hidden).get_by_role("checkbox")).not_to_be_checked()


def test_dropping_is_asked_about_and_leaves_a_reason_in_the_log(console: Session, letters: Page) -> None:
    number = console.dead_letter("gauges/dropped", '{"bar": "high"}')
    letter(letters, number).get_by_role("link").click()
    details = letters.get_by_role("dialog", name="gauges/dropped")
    details.get_by_role("button", name="Drop").click()
    letters.get_by_role("alertdialog").get_by_role("button", name="Cancel").click()
    expect(details).to_be_visible()
    assert number in {found["number"] for found in console.dead_letters()}
    details.get_by_role("button", name="Drop").click()
    letters.get_by_role("alertdialog").get_by_role("button", name="Drop").click()
    expect(details).to_be_hidden()
    expect(letter(letters, number)).to_have_count(0)
    letters.get_by_role("tab", name="Events").click()
    expect(letters.locator("#events")).to_contain_text("picky.take gave up (bar is no number: 'high') and was dropped")


def test_the_question_is_no_when_it_is_escaped(console: Session, letters: Page) -> None:
    number = console.dead_letter("gauges/escaped", '{"bar": "high"}')
    letter(letters, number).get_by_role("checkbox").check()
    letters.get_by_role("button", name="Drop").click()
    expect(letters.get_by_role("button", name="Cancel")).to_be_focused()
    with letters.expect_response("**/api/events?*"):  # by then, what was to be dropped would be
        letters.keyboard.press("Escape")
    expect(letters.get_by_role("alertdialog")).to_be_hidden()
    assert number in {found["number"] for found in console.dead_letters()}


def test_an_edited_dead_letter_is_retried_with_its_new_data(console: Session, letters: Page) -> None:
    number = console.dead_letter("gauges/edited", '{"bar": "high"}')
    letter(letters, number).get_by_role("link").click()
    letters.get_by_label("Data as JSON").fill('{"bar": 4}')
    letters.get_by_role("button", name="Save and retry").click()
    expect(letters.get_by_role("dialog", name="gauges/edited")).to_be_hidden()
    expect(letter(letters, number)).to_have_count(0)
    eventually(lambda: state(console.platform, "picky").get("edited") == {"bar": 4})


@pytest.mark.parametrize(
    ("typed", "told", "caret"),
    [
        ('{\n  "bar": high\n}', 'line 2, column 10: "h" is not expected here', 11),
        ('{"bar": 1,}', 'line 1, column 11: "}" is not expected here', 10),
        ('{"bar" 1}', 'line 1, column 8: "1" is not expected here', 7),
        ("[1, 2", "line 1, column 6: more is expected at its end", 5),
        ("", "line 1, column 1: more is expected at its end", 0),
    ],
)
def test_what_is_no_json_is_told_with_its_place_and_not_sent(
    console: Session, letters: Page, typed: str, told: str, caret: int
) -> None:
    number = console.dead_letter("gauges/mistyped", '{"bar": "high"}')
    letter(letters, number).get_by_role("link").click()
    text = letters.get_by_label("Data as JSON")
    text.fill(typed)
    letters.get_by_role("button", name="Save and retry").click()
    expect(letters.get_by_role("dialog").get_by_role("alert")).to_have_text(f"This is no JSON: {told}.")
    expect(text).to_be_focused()
    expect(text).to_have_attribute("aria-invalid", "true")
    assert text.evaluate("e => e.selectionStart") == caret
    text.fill('{"bar": 1}')
    expect(letters.get_by_role("dialog").get_by_role("alert")).to_be_hidden()
    assert console.get(f"/console/api/dead-letters/{number}").json["envelope"]["data"] == {"bar": "high"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("nul", 0),
        ("-", 0),
        ("\u00a0[", 0),
        ("{a: 1}", 1),
        ('["\\x"]', 1),
        ("[01]", 2),
        ("[1.]", 2),
        ("[1 2]", 3),
        ("[1,]", 3),
        ('{"a": 1} x', 9),
        ('{"a": {"b": [}}', 13),
    ],
)
def test_a_mistake_in_json_is_placed_where_it_stops_being_json(page: Page, text: str, place: int) -> None:
    assert page.evaluate(_READ, text)["place"] == place


@pytest.mark.parametrize("value", [None, 0, -1.5e3, "ü\n", [], {}, {"a": [1, {"b": None}]}])
def test_json_is_read_as_it_is(page: Page, value: Any) -> None:
    assert page.evaluate(_READ, json.dumps(value)) == {"value": value}


_READ = "(text) => import('/console/static/json_text.js').then((it) => it.readJson(text))"


def test_what_somebody_types_is_not_lost_when_something_happens(console: Session, letters: Page) -> None:
    number = console.dead_letter("gauges/typing", '{"bar": "high"}')
    letter(letters, number).get_by_role("link").click()
    letters.get_by_label("Data as JSON").fill('{"bar": ')
    another = console.dead_letter("gauges/another", '{"bar": "high"}')
    expect(letter(letters, another)).to_be_attached()
    expect(letters.get_by_label("Data as JSON")).to_have_value('{"bar": ')


def test_a_dead_letter_that_is_gone_is_said_to_be(console: Session, page: Page) -> None:
    page.goto(f"{console.platform.url}/console/#dead-letter-999999")
    expect(page.get_by_role("dialog")).to_contain_text("there is no dead letter 999999")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{console.platform.url}/console/#dead-letters")


def test_data_that_is_no_json_can_be_retried_but_not_edited(console: Session, letters: Page) -> None:
    number = console.dead_letter("gauges/binary", "\x00\x01")
    letter(letters, number).get_by_role("link").click()
    details = letters.get_by_role("dialog")
    expect(details).to_contain_text("This is no JSON, and can be retried or dropped, but not edited.")
    expect(details.get_by_role("textbox")).to_have_count(0)


def test_the_keyboard_is_enough(console: Session, letters: Page) -> None:
    number = console.dead_letter("gauges/keyboard", '{"bar": "high"}')
    letter(letters, number).get_by_role("checkbox").focus()
    letters.keyboard.press("Space")
    expect(letter(letters, number).get_by_role("checkbox")).to_be_checked()
    letters.keyboard.press("Tab")
    letters.keyboard.press("Enter")
    expect(letters.get_by_role("dialog", name="gauges/keyboard")).to_be_visible()
    letters.keyboard.press("Escape")
    expect(letter(letters, number).get_by_role("link")).to_be_focused()


def test_a_stranger_s_reason_stays_text(console: Session, letters: Page) -> None:
    number = console.dead_letter(f"gauges/{HOSTILE.replace('/', '')}", json.dumps({"bar": HOSTILE}))
    expect(letter(letters, number)).to_contain_text("onerror=")
    letter(letters, number).get_by_role("link").click()
    expect(letters.get_by_role("dialog")).to_contain_text("onerror=")
    expect(letters.locator("img, body script")).to_have_count(0)
    expect(letters).to_have_title("botplatform console")


def test_a_dropped_event_stays_in_the_list_of_events(console: Session, page: Page) -> None:
    event = console.happen("gauges/left", '{"bar": "high"}', done=lambda event: event["handlers"])
    console.post("dead-letters/drop", {"numbers": [console.details(event)["handlers"][0]["dead_letter"]]})
    expect(row(page, event)).to_contain_text("was dropped")
