"""Answers how warm a room is, in Slack, and counts who asked."""

from botplatform import Context, slack


@slack.command("/temp {room}")
def answer(ctx: Context) -> str:
    """Say so, and count."""
    ctx.state.add(ctx.params["room"])
    return f"It is warm in the {ctx.params['room']}."
