"""A skill made with the ASK SDK goes on answering, mounted in a plugin."""

from __future__ import annotations

import pytest

from botplatform.testing import Platform
from tests.sources.conftest import MakePlatform

SKILL = """
from ask_sdk_core.skill_builder import SkillBuilder
from ask_sdk_core.utils import is_intent_name, is_request_type

from botplatform import alexa

skill = SkillBuilder()


@skill.request_handler(can_handle_func=is_request_type("LaunchRequest"))
def welcome(handler_input):
    return handler_input.response_builder.speak("Welcome!").ask("Whom shall I greet?").response


@skill.request_handler(can_handle_func=is_intent_name("HelloIntent"))
def hello(handler_input):
    count = handler_input.attributes_manager.session_attributes.get("count", 0) + 1
    handler_input.attributes_manager.session_attributes["count"] = count
    name = handler_input.request_envelope.request.intent.slots["name"].value
    return handler_input.response_builder.speak(f"Hello {name}!").set_should_end_session(True).response


"""


@pytest.fixture(params=["alexa.mount(skill)", "answer = alexa.mount(skill)"], ids=["bare call", "assigned call"])
def platform(request: pytest.FixtureRequest, platform_with: MakePlatform) -> Platform:
    return platform_with(greeter=SKILL + request.param)


def test_it_answers_its_intents_in_alexas_own_format(platform: Platform) -> None:
    reply = platform.alexa.intent("HelloIntent", session={"count": 2}, name="Ann")
    assert reply
    assert reply.native
    assert reply.native["response"]["outputSpeech"] == {"type": "SSML", "ssml": "<speak>Hello Ann!</speak>"}
    assert reply.native["response"]["shouldEndSession"] is True
    assert reply.native["sessionAttributes"] == {"count": 3}


def test_it_answers_when_the_skill_is_opened(platform: Platform) -> None:
    reply = platform.alexa.launch()
    assert reply
    assert reply.native
    assert reply.native["response"]["outputSpeech"]["ssml"] == "<speak>Welcome!</speak>"
    assert reply.native["response"]["shouldEndSession"] is False


def test_what_it_has_no_handler_for_has_no_answer(platform: Platform) -> None:
    assert platform.alexa.intent("GoodbyeIntent") is None
    assert platform.alexa.end() is None  # type: ignore[func-returns-value]


def test_a_handler_for_the_same_intent_wins(platform_with: MakePlatform) -> None:
    native = """
        from botplatform import alexa


        @alexa.intent("HelloIntent", samples=["greet {name}"], slots={"name": "AMAZON.FirstName"})
        def hello(ctx):
            return f"Good morning {ctx.params['name']}!"
    """
    platform = platform_with(greeter=SKILL + "alexa.mount(skill)", native=native)

    assert platform.alexa.intent("HelloIntent", name="Ann") == "Good morning Ann!"
    welcome = platform.alexa.launch()
    assert welcome
    assert welcome.native
