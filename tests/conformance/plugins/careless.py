"""Wants to text without having declared it."""

from botplatform import Context, slack


@slack.command("/careless")
def answer(ctx: Context) -> str:
    ctx.state["asked"] = True
    ctx.text("owner", "nobody allowed this")
    return "Sent."
