"""Keeps the last temperature of each room."""

from botplatform import Context, Event, mqtt


@mqtt.topic("sensors/{room}/temperature")
def remember(event: Event, ctx: Context) -> None:
    """Keep the reading."""
    ctx.state[ctx.params["room"]] = event.data["celsius"]
