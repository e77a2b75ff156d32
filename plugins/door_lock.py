"""Locks and unlocks doors from Slack and Alexa over MQTT, and knows what each lock last reported."""

from botplatform import Context, Event, alexa, mqtt, slack

USES = ["publish"]

SLOTS = {"door": "DOOR"}


@slack.command("/lock {door}")
@alexa.intent("LockIntent", samples=["lock the {door}"], slots=SLOTS)
def lock(ctx: Context) -> str:
    return _ask(ctx, "locked")


@slack.command("/unlock {door}")
@alexa.intent("UnlockIntent", samples=["unlock the {door}"], slots=SLOTS)
def unlock(ctx: Context) -> str:
    return _ask(ctx, "unlocked")


@mqtt.topic("locks/{door}/state", payload="raw")
def report(event: Event, ctx: Context) -> None:
    ctx.state[ctx.params["door"]] = event.data.decode()


@slack.command("/door {door}")
@alexa.intent("DoorIntent", samples=["is the {door} locked"], slots=SLOTS)
def tell(ctx: Context) -> str:
    state = ctx.state.get(_topic(ctx))
    return f"The {ctx.params['door']} is {state}." if state else f"The {ctx.params['door']} has not reported yet."


def _ask(ctx: Context, wanted: str) -> str:
    if ctx.state.get(_topic(ctx)) == wanted:
        return f"The {ctx.params['door']} is {wanted} already."
    ctx.publish(f"locks/{_topic(ctx)}/set", wanted)
    return f"I told the {ctx.params['door']} to be {wanted}."


def _topic(ctx: Context) -> str:
    """The front door's level in topics is front-door."""
    return ctx.params["door"].lower().replace(" ", "-")
