"""Texts the owner when a room gets hotter than 30 °C, at most once an hour for each room."""

from typing import TypedDict

from botplatform import Context, Event, mqtt

USES = ["text"]

LIMIT = 30.0


class Reading(TypedDict):
    celsius: float


@mqtt.topic("sensors/{room}/temperature", schema=Reading)
def warn(event: Event, ctx: Context) -> None:
    celsius, room = event.data["celsius"], ctx.params["room"]
    if celsius > LIMIT:
        ctx.text("owner", f"It is {celsius} °C in the {room}!", once_per="1h", about=room)
