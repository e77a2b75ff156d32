"""Posts each weekday morning to Slack how cold and how warm every room has been since the last time."""

from typing import TypedDict

from botplatform import Context, Event, mqtt, schedule

USES = ["slack"]


class Reading(TypedDict):
    celsius: float


@mqtt.topic("sensors/{room}/temperature", schema=Reading)
def collect(event: Event, ctx: Context) -> None:
    celsius = event.data["celsius"]
    low, high = ctx.state.get(ctx.params["room"], [celsius, celsius])
    ctx.state[ctx.params["room"]] = [min(low, celsius), max(high, celsius)]


@schedule.on("cron(0 7 ? * MON-FRI *)", timezone="Europe/Berlin", missed="last")
def post(ctx: Context) -> None:
    rooms = dict(ctx.state.items())
    lines = [f"{room}: {low} to {high} °C" for room, (low, high) in rooms.items()]
    ctx.slack("#home", "\n".join(["Good morning!", *lines]) if lines else "Good morning! No readings since yesterday.")
    for room in rooms:
        del ctx.state[room]
