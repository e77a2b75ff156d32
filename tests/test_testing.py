"""The `platform` fixture does what plugin authors rely on, and shows what they broke."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from botplatform import Event, Rejected, Retry
from botplatform.reply import Reply
from botplatform.testing import Platform
from botplatform.work import Undeclared
from tests.plugin_files import load

PLUGIN = '''
    """Does a little of everything."""

    from botplatform import Event, Rejected, Reply, Retry, alexa, cloudevents, cloudtrail, mqtt, schedule, slack

    USES = ["text", "slack", "publish", "emit"]


    @slack.command("/count {what}")
    def count(ctx):
        ctx.state.add(ctx.params["what"])
        return f"counted {ctx.params['what']}"


    @slack.command("/who")
    def who(event, ctx):
        return event.data["user_id"]


    @slack.command("/now")
    def now(ctx):
        return ctx.now.isoformat()


    @slack.event("reaction_added")
    def thank(event):
        return f"thanks for {event.data['event']['reaction']}"


    @slack.action("press")
    def pressed(event, ctx):
        ctx.slack("C1", event.data["actions"][0]["value"])


    @slack.view("form")
    def submitted(event):
        return Reply(native={"response_action": "clear"})


    @alexa.intent("GreetIntent", samples=["greet {name}"], slots={"name": "NAME", "mood": "MOOD"})
    def greet(event, ctx):
        again = event.data["session"]["attributes"].get("greeted")
        return f"Hello {'again ' if again else ''}{ctx.params['name']}{ctx.params['mood']}!"


    @alexa.launch()
    def welcome():
        return Reply("Welcome.", reprompt="Whom shall I greet?")


    @alexa.session_ended()
    def bye(ctx):
        ctx.state["ended"] = True


    @mqtt.topic("in/{what}", payload="raw")
    def heard(event, ctx):
        ctx.publish(f"out/{ctx.params['what']}", event.data.decode(), retain=event.extensions["mqttretain"])


    @mqtt.topic("numbered", id_field="seq")
    def numbered(ctx):
        ctx.state.add("numbered")


    @cloudtrail.event({"eventName": ["ConsoleLogin"]})
    def signed_in(event, ctx):
        ctx.text("owner", "somebody signed in", once_per="1h")


    @schedule.on("rate(1 day)")
    def daily(event, ctx):
        ctx.text("+15550100", event.data["time"])


    @schedule.on("rate(1 hour)")
    def hourly(ctx): ...


    @cloudevents.event("com.example.first")
    def first(event, ctx):
        ctx.emit(Event(type="com.example.second", data=event.data))


    @cloudevents.event("com.example.second")
    def second(event, ctx):
        ctx.state["second"] = event.data


    @slack.command("/fail {how}")
    def fail(ctx):
        ctx.state["fail"] = "never"
        ctx.text("owner", "never")
        if ctx.params["how"] == "undeclared":
            ctx.effect("pigeon", {})
        if ctx.params["how"] == "rejected":
            raise Rejected("no such thing")
        if ctx.params["how"] == "retry":
            raise Retry("busy", after=5)
        if ctx.params["how"] == "answer":
            return 7
        return {}[ctx.params["how"]]


    @cloudevents.event("com.example.refused")
    def refuse(event):
        raise Rejected("no such thing")
'''
SIGN_IN = {"eventID": "1", "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin"}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with ExitStack() as running:
        yield running.enter_context(Platform(tmp_path, load(tmp_path / "plugins", demo=PLUGIN)))


# What happens outside


def test_a_slash_command_is_answered(platform: Platform) -> None:
    assert platform.slack("/count sheep") == "counted sheep"
    assert platform.slack("/who", user="U1") == "U1"


def test_typing_the_same_command_twice_is_two_events(platform: Platform) -> None:
    platform.slack("/count sheep")
    platform.slack("/count sheep")
    assert platform.state("demo") == {"sheep": 2}


def test_a_command_nobody_knows_is_answered_as_slack_users_see_it(platform: Platform) -> None:
    reply = platform.slack("/cout sheep")
    assert reply
    assert reply.text.startswith("I do not know `/cout sheep`. I know `/count {what}`, ")


def test_what_happens_in_slack_is_heard_and_the_reply_posted(platform: Platform) -> None:
    assert platform.slack_event("reaction_added", reaction="tada", item={"channel": "C1"}) == "thanks for tada"
    assert platform.slack_messages == [("C0LOCAL", "thanks for tada")]


def test_a_pressed_button_is_heard(platform: Platform) -> None:
    platform.slack_action("press", "yes")
    assert platform.slack_messages == [("C1", "yes")]


def test_an_intent_is_answered(platform: Platform) -> None:
    assert platform.alexa.intent("GreetIntent", name="Ann") == "Hello Ann!"
    assert platform.alexa.intent("GreetIntent", session={"greeted": True}, name="Ann") == "Hello again Ann!"


def test_a_skill_is_opened_and_left(platform: Platform) -> None:
    assert platform.alexa.launch() == Reply("Welcome.", reprompt="Whom shall I greet?")
    platform.alexa.end()
    assert platform.state("demo") == {"ended": True}


@pytest.mark.parametrize(
    ("payload", "published"),
    [("on", "on"), (b"on", "on"), ({"celsius": 21.5}, '{"celsius": 21.5}'), (7, "7"), (None, "null")],
)
def test_a_device_publishes_text_bytes_or_json(platform: Platform, payload: object, published: str) -> None:
    platform.mqtt("in/kitchen", payload, retain=True)
    assert platform.published == [("out/kitchen", published)]
    assert platform.effects("publish")[0]["retain"] is True


def test_a_message_of_the_same_id_is_a_redelivery(platform: Platform) -> None:
    for _ in range(3):
        platform.mqtt("in/kitchen", "on", id="m-1")
    platform.mqtt("in/kitchen", "on")
    platform.mqtt("in/kitchen", "on")
    assert len(platform.published) == 3


def test_a_devices_own_id_is_found(platform: Platform) -> None:
    platform.mqtt("numbered", {"seq": 1})
    platform.mqtt("numbered", {"seq": 1})
    platform.mqtt("numbered", {"seq": 2})
    assert platform.state("demo") == {"numbered": 2}


def test_a_record_of_cloudtrail_arrives_in_any_wrapping(platform: Platform) -> None:
    platform.cloudtrail({"Records": [SIGN_IN]})
    assert platform.texts == [("owner", "somebody signed in")]
    platform.cloudtrail(SIGN_IN)
    assert len(platform.texts) == 1


def test_a_schedule_is_due_now_or_at_another_time(platform: Platform) -> None:
    platform.tick("demo.daily")
    platform.tick("demo.daily", at=datetime(2026, 3, 1, tzinfo=UTC))
    assert platform.texts == [("+15550100", "2026-01-05T12:00:00Z"), ("+15550100", "2026-03-01T00:00:00Z")]


@pytest.mark.parametrize(
    ("name", "said"),
    [("demo", "'demo' is more than one schedule; there are "), ("demo.weekly", "'demo.weekly' is no schedule; ")],
)
def test_a_schedule_that_is_not_there_fails_the_test(platform: Platform, name: str, said: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=said):
        platform.tick(name)


def test_bytes_arrive_as_a_source_sends_them(platform: Platform) -> None:
    body = b'payload={"type":"view_submission","trigger_id":"1","view":{"callback_id":"form"}}'
    assert platform.raw("slack", body) == Reply(native={"response_action": "clear"})


def test_bytes_that_are_no_event_are_raised(platform: Platform) -> None:
    with pytest.raises(Rejected, match=r"^\$: no CloudTrail record: eventSource, eventName missing$"):
        platform.cloudtrail({"eventID": "1"})


def test_an_event_nobody_listens_to_is_answered_with_nothing(platform: Platform) -> None:
    assert platform.send(Event(type="com.example.other", source="/tests", id="1")) is None


def test_the_clock_stands_still_until_it_is_moved(platform: Platform) -> None:
    assert platform.slack("/now") == platform.slack("/now") == "2026-01-05T12:00:00+00:00"
    platform.advance(hours=1, minutes=5)
    assert platform.slack("/now") == "2026-01-05T13:05:00+00:00"
    assert platform.now == datetime(2026, 1, 5, 13, 5, tzinfo=UTC)


# What the plugins did


def test_an_emitted_event_is_handled_before_the_call_returns(platform: Platform) -> None:
    platform.send(Event(type="com.example.first", source="/tests", id="1", data={"a": 1}))
    assert platform.state("demo") == {"second": {"a": 1}}
    assert [name for name, _ in platform.performed] == ["emit"]


def test_what_is_suppressed_is_shown(platform: Platform) -> None:
    for number in (1, 2, 3, 3):
        platform.cloudtrail({**SIGN_IN, "eventID": str(number)})
    assert len(platform.texts) == 1
    assert platform.suppressed == ["text to owner: at most one in 1 h"] * 2


def test_a_redelivery_is_answered_with_the_first_reply_and_does_nothing_again(platform: Platform) -> None:
    body = b"command=%2Fcount&text=sheep&team_id=T1&user_id=U1&trigger_id=1.2.3"
    assert platform.raw("slack", body) == platform.raw("slack", body) == "counted sheep"
    assert platform.state("demo") == {"sheep": 1}


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("bug", KeyError, "bug"),
        ("retry", Retry, "busy"),
        ("answer", TypeError, "a handler returns a Reply, text or None, not int"),
        ("undeclared", Undeclared, "plugin demo uses the effect 'pigeon': declare it with USES = "),
    ],
)
def test_what_a_handler_raises_is_raised_in_the_test_and_nothing_is_committed(
    platform: Platform, how: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        platform.slack(f"/fail {how}")
    assert platform.state("demo") == {}
    assert platform.performed == []


def test_what_a_handler_refuses_is_the_answer_where_somebody_waits(platform: Platform) -> None:
    assert platform.slack("/fail rejected") == "No such thing"
    assert platform.state("demo") == {}


def test_what_a_handler_refuses_is_raised_where_nobody_waits(platform: Platform) -> None:
    with pytest.raises(Rejected, match=r"^no such thing$"):
        platform.send(Event(type="com.example.refused", source="/tests", id="1"))


def test_plugins_that_cannot_be_loaded_fail_the_test_with_the_reason(tmp_path: Path) -> None:
    plugins = load(tmp_path, broken="import requets")
    with pytest.raises(pytest.fail.Exception, match="cannot import 'requets': it is not installed, or misspelt"):
        Platform(tmp_path, plugins)


# As the pytest plugin it is

pytest_plugins = ["pytester"]

TEST = """
    def test_it_answers(platform):
        assert platform.slack("/ping") == "pong"
"""
PING = """
    from botplatform import slack

    @slack.command("/ping")
    def ping():
        return "pong"
"""


def run(pytester: pytest.Pytester, folder: str, **files: str) -> pytest.RunResult:
    """Run a test against plugins in a folder, as an author would."""
    (pytester.path / folder).mkdir(parents=True)
    for name, text in files.items():
        (pytester.path / folder / f"{name}.py").write_text(dedent(text))
    pytester.makepyfile(test_ping=TEST)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider")


def test_the_plugins_are_those_in_the_folder_plugins(pytester: pytest.Pytester) -> None:
    run(pytester, "plugins", ping=PING).assert_outcomes(passed=1)


def test_the_plugins_are_those_in_the_folders_of_the_ini_setting(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nbotplatform_plugins = ["bots/home"]\n')
    run(pytester, "bots/home", ping=PING).assert_outcomes(passed=1)


def test_a_plugin_with_a_mistake_fails_the_test_with_one_line(pytester: pytest.Pytester) -> None:
    result = run(pytester, "plugins", ping=PING, broken="import requets")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*plugins/broken.py:1: cannot import 'requets': it is not installed, or misspelt"])
