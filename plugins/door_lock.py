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
    door = ctx.params["door"].lower()
    state = ctx.state.get(door)
    return f"The {door} is {state}." if state else f"The {door} has not reported yet."


def _ask(ctx: Context, wanted: str) -> str:
    door = ctx.params["door"].lower()
    if ctx.state.get(door) == wanted:
        return f"The {door} is {wanted} already."
    ctx.publish(f"locks/{door.replace(' ', '-')}/set", wanted)
    return f"I told the {door} to be {wanted}."
