"""Answers "how warm is it?" in Slack and on Alexa, from the thermometers in each room."""

from typing import TypedDict

from botplatform import Context, Event, alexa, mqtt, slack


class Reading(TypedDict):
    celsius: float


@mqtt.topic("sensors/{room}/temperature", schema=Reading)
def remember(event: Event, ctx: Context) -> None:
    ctx.state[ctx.params["room"]] = event.data["celsius"]


@slack.command("/temp {room}")
@alexa.intent("TemperatureIntent", samples=["how warm is it in the {room}"], slots={"room": "AMAZON.Room"})
def answer(ctx: Context) -> str:
    room = ctx.params["room"].lower()
    celsius = ctx.state.get(room)
    return f"It is {celsius} °C in the {room}." if celsius is not None else "No reading yet."
