"""Answers in Slack after longer than Slack waits."""

import time

from botplatform import Context, slack


@slack.command("/slow")
def answer(ctx: Context) -> str:
    count = ctx.state.get("answers", 0) + 1
    time.sleep(4)
    ctx.state["answers"] = count
    return f"Answer {count} took its time."
