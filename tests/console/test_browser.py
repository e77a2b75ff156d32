"""What people see and do in the console, in a real browser, and what others cannot do with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.browser import HOSTILE, other_site, row
from tests.console.session import Session
from tests.hosts.local.running import from_slack, log, request, running
from tests.mosquitto import eventually


def test_an_event_appears_by_itself_with_what_became_of_it(console: Session, page: Page) -> None:
    expect(page.locator("#status")).to_contain_text("MQTT")
    number = console.happen("sensors/loft/temperature", '{"celsius": 33}')
    event = row(page, number)
    expect(event).to_contain_text('mqttsensors/loft/temperature{"celsius":33}')
    expect(event).to_contain_text("too_hot.warn")
    expect(event).to_contain_text("text to owner It is 33 °C in the loft!")
    expect(page.locator("#events li").first).to_have_attribute("data-key", str(number))


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("moody/later", "waiting for attempt 2: the pump does not answer"),
        ("moody/never", "dead letter after 5 attempts: the pump is gone"),
        ("moody/page", "given up after 1 attempt: nobody has no pager"),
        ("sensors/kitchen/temprature", "no handler listens to it; the nearest listens to sensors/{room}/temperature"),
    ],
)
def test_a_problem_is_told_and_can_be_picked_out(console: Session, page: Page, topic: str, told: str) -> None:
    fine = console.happen("sensors/kitchen/temperature", '{"celsius": 20}')
    number = console.happen(topic, "1")
    expect(row(page, number)).to_contain_text(told)
    page.get_by_role("button", name="Problems").click()
    expect(row(page, fine)).to_be_hidden()
    expect(row(page, number)).to_be_visible()


def test_what_is_no_event_is_told(console: Session, page: Page) -> None:
    request(f"{console.platform.url}/events", b'{"specversion": "1.0", "id": "1"}')
    expect(page.locator("#events li").first).to_contain_text("rejected: source: source is missing or no text")


@pytest.mark.parametrize("age", [0, 600_000])
def test_a_redelivery_is_shown_however_late_it_comes(browser: Browser, console: Session, age: int) -> None:
    page = browser.new_page()
    page.clock.install()
    page.goto(f"{console.platform.url}/console/")
    body = f"command=%2Fhelp&team_id=T1&user_id=U1&trigger_id=late-{age}".encode()
    from_slack(console.platform, body)
    event = row(page, log(console.platform)[-1]["number"])
    expect(event).to_be_visible()
    page.clock.fast_forward(age)
    from_slack(console.platform, body)
    expect(event).to_contain_text("delivered 2 times")
    page.close()


def test_what_was_suppressed_is_shown(console: Session, page: Page) -> None:
    console.happen("sensors/kiln/temperature", '{"celsius": 900}')
    number = console.happen("sensors/kiln/temperature", '{"celsius": 901}')
    expect(row(page, number)).to_contain_text("suppressed: text to owner: at most one in 1 h")


@pytest.mark.parametrize("how", ["click", "Enter"])
def test_an_event_opens_and_closes_and_the_focus_comes_back(console: Session, page: Page, how: str) -> None:
    number = console.happen("sensors/kitchen/temperature", '{"celsius": 19.5}')
    link = row(page, number).locator("a")
    link.click() if how == "click" else link.press("Enter")
    details = page.get_by_role("dialog", name="sensors/kitchen/temperature")
    expect(details).to_contain_text('"celsius": 19.5')
    expect(details).to_contain_text("org.mqtt.message")
    expect(details).to_contain_text("room_temperature.remember")
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    expect(link).to_be_focused()


def test_an_event_has_an_address_of_its_own(console: Session, page: Page) -> None:
    number = console.happen("locks/gate/state", "ajar")
    expect(row(page, number)).to_be_visible()
    page.goto(f"{console.platform.url}/console/#event-{number}")
    expect(page.get_by_role("dialog", name="locks/gate/state")).to_contain_text("ajar")
    page.get_by_role("button", name="Close").click()
    expect(page).to_have_url(f"{console.platform.url}/console/")
    expect(row(page, number).locator("a")).to_be_focused()


def test_an_unmatched_event_shows_the_handler_one_would_write(console: Session, page: Page) -> None:
    number = console.happen("sensors/kitchen/temprature", "1")
    row(page, number).locator("a").click()
    details = page.get_by_role("dialog")
    expect(details).to_contain_text('@mqtt.topic("sensors/{name}/temprature")')
    expect(details).to_contain_text("topic 'sensors/kitchen/temprature' does not fit 'sensors/+/temperature'")


def test_open_details_follow_what_happens(console: Session, page: Page) -> None:
    body = b"command=%2Fhelp&team_id=T1&user_id=U1&trigger_id=followed"
    from_slack(console.platform, body)
    page.goto(f"{console.platform.url}/console/#event-{log(console.platform)[-1]['number']}")
    expect(page.get_by_role("dialog")).to_contain_text("com.slack.command")
    from_slack(console.platform, body)
    expect(page.get_by_role("dialog")).to_contain_text("delivered 2 times")


def test_the_arrow_keys_go_through_the_events(console: Session, page: Page) -> None:
    older = console.happen("locks/gate/state", "open")
    newer = console.happen("locks/gate/state", "shut")
    row(page, newer).locator("a").focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, older).locator("a")).to_be_focused()


def test_events_can_be_filtered(console: Session, page: Page) -> None:
    wanted = console.happen("locks/portcullis/state", "down")
    other = console.happen("locks/gate/state", "shut")
    page.get_by_role("searchbox").fill("Portcullis")
    expect(row(page, wanted)).to_be_visible()
    expect(row(page, other)).to_be_hidden()


def test_texts_are_bubbles_by_recipient(console: Session, page: Page) -> None:
    console.happen("sensors/forge/temperature", '{"celsius": 1200}')
    talk = page.locator(".talk", has_text="+15550100")
    expect(talk.locator(".bubble").last).to_contain_text("It is 1200 °C in the forge!")


def test_slack_messages_and_publishes_are_shown(console: Session, page: Page) -> None:
    console.post("slack", {"user": "U0ANN", "text": "what can you do?"})
    console.post("slack", {"user": "U0ANN", "text": "/lock barn"})
    page.get_by_role("tab", name="Slack", exact=False).last.click()
    expect(page.locator("#sent-messages .message").first).to_contain_text("Lists in Slack and on Alexa")
    page.get_by_role("tab", name="MQTT").click()
    expect(page.locator("#sent-publishes .publish").first).to_contain_text("locks/barn/set")


def test_one_can_talk_in_slack(console: Session, page: Page) -> None:
    console.happen("sensors/cellar/temperature", '{"celsius": 12}')
    page.get_by_label("Command, or words to the bot").fill("/temp cellar")
    page.get_by_label("Command, or words to the bot").press("Enter")
    chat = page.get_by_role("log", name="Talk in Slack")
    expect(chat.locator("li").nth(-2)).to_have_text("/temp cellar")
    expect(chat.locator("li").last).to_contain_text("It is 12 °C in the cellar.")


def test_one_can_talk_to_alexa(page: Page) -> None:
    page.get_by_role("tab", name="Alexa").click()
    page.get_by_label("Intent").select_option("CountIntent")
    for number in ("1", "2"):
        page.get_by_role("button", name="Say").click()
        expect(page.get_by_role("log", name="Talk with Alexa").locator("li").last).to_contain_text(number)


def test_the_slots_of_an_intent_are_asked_for(console: Session, page: Page) -> None:
    console.happen("sensors/pantry/temperature", '{"celsius": 14}')
    page.get_by_role("tab", name="Alexa").click()
    page.get_by_label("Intent").select_option("TemperatureIntent")
    page.get_by_role("textbox", name="room").fill("pantry")
    page.get_by_role("button", name="Say").click()
    chat = page.get_by_role("log", name="Talk with Alexa").locator("li")
    expect(chat.nth(-2)).to_have_text("how warm is it in the pantry")
    expect(chat.last).to_contain_text("It is 14 °C in the pantry.")


def test_one_can_publish_as_a_device(page: Page) -> None:
    page.get_by_role("tab", name="Device").click()
    page.get_by_label("Topic").fill("locks/hatch/state")
    page.get_by_label("Payload").fill("battened")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("#events li", has_text="locks/hatch/state")).to_contain_text("battened")


def test_a_mistake_in_a_box_is_told_in_its_chat(page: Page) -> None:
    page.get_by_role("tab", name="Device").click()
    page.get_by_label("Topic").fill("locks/+/state")
    with page.expect_response("**/api/mqtt") as answer:
        page.get_by_role("button", name="Publish").click()
    assert answer.value.status == 400
    expect(page.locator("#speak-mqtt .failed")).to_have_text("topic: 'locks/+/state' is no topic to publish to")


def test_tabs_can_be_reached_with_the_keyboard(page: Page) -> None:
    page.get_by_role("tab", name="Slack user").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Alexa")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Alexa")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Device")).to_be_focused()


def test_every_control_has_a_name(page: Page) -> None:
    for control in page.locator("button, input, select, textarea").all():
        name = control.evaluate("e => e.ariaLabel || e.labels?.[0]?.innerText || e.textContent.trim()")
        assert name, control.evaluate("e => e.outerHTML")


@pytest.mark.parametrize("width", [375, 800, 1000, 1200, 1280, 1920])
def test_the_page_is_never_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    expect(page.locator("#events li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("place", ["#event-1", "#dead-letters", "#?subject=nothing"])
@pytest.mark.parametrize("width", [375, 1200])
def test_no_part_has_to_be_scrolled_sideways(console: Session, page: Page, width: int, place: str) -> None:
    console.dead_letter(f"gauges/{'w' * 300}", json.dumps({"bar": "W" * 300}))
    page.set_viewport_size({"width": width, "height": 812})
    page.goto(f"{console.platform.url}/console/{place}")
    expect(page.locator("#tab-dead-letters")).not_to_have_attribute("data-count", "")
    wide = "[...document.querySelectorAll('.scroll, form, dialog')].filter((e) => e.scrollWidth > e.clientWidth)"
    assert page.evaluate(f"{wide}.map((e) => e.outerHTML.slice(0, 200))") == []


def test_a_phone_shows_one_part_at_a_time(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("navigation").get_by_role("button", name="Plugins").click()
    expect(page.locator(".panel.plugins")).to_contain_text("Posts each weekday morning to Slack")
    expect(page.locator(".panel.events")).to_be_hidden()


def test_what_a_stranger_sends_stays_text(console: Session, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    number = console.happen(f"hostile/{HOSTILE}", json.dumps({HOSTILE: HOSTILE}))
    console.post("slack", {"user": HOSTILE, "text": f"/temp {HOSTILE}"})
    console.post("slack", {"user": "U0ANN", "text": f"/lock {HOSTILE}"})
    expect(row(page, number)).to_contain_text("<img src=x")
    row(page, number).locator("a").click()
    expect(page.get_by_role("dialog")).to_contain_text("onerror=")
    expect(page.locator("img, body script")).to_have_count(0)
    expect(page).to_have_title("botplatform console")
    assert {path for path in asked if not path.startswith("/console/api/")} == set()


def test_a_hidden_page_asks_for_nothing(browser: Browser, console: Session) -> None:
    page = browser.new_page()
    page.clock.install()
    page.goto(f"{console.platform.url}/console/")
    expect(page.locator("#status")).to_contain_text("MQTT")
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true})")
    page.evaluate("window.away = true")
    page.clock.run_for(5_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_request("**/api/events?*"):
        page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.close()


def test_a_platform_that_is_gone_is_missed_and_found_again(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    with running(tmp_path, {}) as platform:
        port = urlsplit(platform.url).port
        page.goto(f"{platform.url}/console/")
        expect(page.locator("#nothing")).to_contain_text("Nothing has happened yet.")
        expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.get_by_role("alert")).to_contain_text("The platform is gone", timeout=20_000)
    with running(tmp_path, {}, BOTPLATFORM_PORT=str(port)):
        expect(page.get_by_role("alert")).to_be_hidden(timeout=20_000)
        expect(page.locator("#status")).to_contain_text("MQTT", timeout=20_000)
        page.get_by_label("Command, or words to the bot").fill("/temp")
        page.get_by_label("Command, or words to the bot").press("Enter")
        expect(page.locator("#speak-slack .reply")).to_contain_text("I do not know `/temp`.")
    page.close()


ATTEMPTS = {
    "what its own script would send": {"headers": {"Content-Type": "application/json", "X-Console-Token": "guessed"}},
    "without asking first": {"mode": "no-cors", "headers": {"Content-Type": "text/plain"}},
    "with the cookies there may be": {"mode": "no-cors", "credentials": "include"},
}


@pytest.mark.parametrize("options", ATTEMPTS.values(), ids=ATTEMPTS)
@pytest.mark.parametrize("path", ["/console/api/mqtt", "/events"])
def test_a_page_of_another_site_cannot_make_anything_happen(
    browser: Browser, console: Session, path: str, options: dict[str, object]
) -> None:
    body = json.dumps({"topic": "locks/front-door/set", "payload": "unlocked", "qos": 1, "retain": False})
    before = log(console.platform)
    with other_site() as address:
        page = browser.new_page()
        page.goto(address)
        sent = {"method": "POST", "body": body, **options}
        read = page.evaluate(_FETCH, [f"{console.platform.url}{path}", sent])
        page.close()
    assert read in ("", "refused")
    eventually(lambda: not console.platform.busy())
    assert log(console.platform) == before


_FETCH = "([url, options]) => fetch(url, options).then((answer) => answer.text(), () => 'refused')"


@pytest.mark.parametrize("path", ["/console/", "/console/api/events", "/console/api/outbox"])
def test_a_page_of_another_site_reads_nothing(browser: Browser, console: Session, path: str) -> None:
    with other_site() as address:
        page = browser.new_page()
        page.goto(address)
        for mode in ("cors", "no-cors"):
            assert page.evaluate(_FETCH, [f"{console.platform.url}{path}", {"mode": mode}]) == "refused"
        page.close()


def test_a_form_of_another_site_is_refused(browser: Browser, console: Session) -> None:
    with other_site() as address:
        page = browser.new_page()
        page.goto(address)
        with page.expect_navigation() as answer:
            page.evaluate(
                """(url) => {
                    const form = document.createElement("form");
                    Object.assign(form, {method: "post", action: url, enctype: "text/plain"});
                    document.body.append(form);
                    form.submit();
                }""",
                f"{console.platform.url}/console/api/mqtt",
            )
        assert answer.value.status == 403
        page.close()


def test_no_other_site_can_frame_the_console(browser: Browser, console: Session) -> None:
    with other_site() as address:
        page = browser.new_page()
        page.goto(address)
        page.evaluate(
            "(url) => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))",
            f"{console.platform.url}/console/",
        )
        expect(page.frame_locator("iframe").locator("h1", has_text=re.compile("botplatform"))).to_have_count(0)
        page.close()


@pytest.mark.parametrize("path", ["/console/", "/console/api/events"])
def test_a_name_that_was_pointed_at_us_shows_nothing(browser: Browser, console: Session, path: str) -> None:
    page = browser.new_page()
    port = urlsplit(console.platform.url).port
    answer = page.goto(f"http://rebound.example:{port}{path}")
    assert answer is not None
    assert answer.status == 403
    assert page.locator("body").inner_text().startswith('{"error":"this is not for rebound.example')
    page.close()
