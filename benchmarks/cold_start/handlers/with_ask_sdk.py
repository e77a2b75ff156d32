"""A skill with one intent, made with the Alexa Skills Kit SDK."""

from __future__ import annotations

from ask_sdk_core.handler_input import HandlerInput
from ask_sdk_core.skill_builder import SkillBuilder
from ask_sdk_core.utils import get_slot_value, is_intent_name
from ask_sdk_model import Response

skill = SkillBuilder()


@skill.request_handler(can_handle_func=is_intent_name("TemperatureIntent"))
def answer(handler_input: HandlerInput) -> Response:
    """Say how warm a room is."""
    return handler_input.response_builder.speak(f"It is warm in the {get_slot_value(handler_input, 'room')}.").response


handle = skill.lambda_handler()
