"""Answers how warm a room is, in Slack and on Alexa, and keeps no state."""

from botplatform import Context, alexa, slack

STATE = False


@slack.command("/temp {room}")
@alexa.intent("TemperatureIntent", samples=["how warm is it in the {room}"], slots={"room": "AMAZON.Room"})
def answer(ctx: Context) -> str:
    """Say so."""
    return f"It is warm in the {ctx.params['room']}."
